import { setImmediate as nextTurn } from 'node:timers/promises'
import { JsonText } from '../../base/encoding/json.js'
import { FairQueue } from '../../base/primitives/fair-queue.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../io/execution/execution-rpc-error.js'
import type { CallContext } from './rpc-method.js'

/** Makes an answer in steps; each yields what it cost, in characters or what takes as long as they do. */
export type AnswerSteps = Generator<number, JsonText>

/** Cost after which other work of the node has its turn. */
const turnCost = 64 * 1024
/** Answers that may wait. */
const maxWaiting = 1_024

interface Waiting {
  readonly context: Pick<CallContext, 'isGone'>
  readonly make: () => AnswerSteps
  readonly resolve: (answer: JsonText) => void
  readonly reject: (error: unknown) => void
}

/** Makes answers that work long on the main thread one after the other, callers in turn, and lets other work come between. */
export class SlowLine {
  private readonly waiting = new FairQueue<Waiting>(maxWaiting)
  private isAtWork = false
  /** Since others had a turn. */
  private spent = 0

  /** The answer; null to a caller that is gone. @throws ExecutionRpcError limitExceeded when too many wait; what `make` throws */
  run(context: Pick<CallContext, 'caller' | 'isGone'>, make: () => AnswerSteps): Promise<JsonText> {
    return new Promise((resolve, reject) => {
      const loser = this.waiting.push(context.caller, { context, make, resolve, reject })
      loser?.reject(
        new ExecutionRpcError({ code: rpcErrorCodes.limitExceeded, message: 'too many concurrent slow answers' }),
      )
      if (!this.isAtWork) void this.work()
    })
  }

  private async work(): Promise<void> {
    this.isAtWork = true
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      const { context, make, resolve, reject } = next
      try {
        resolve(await this.make(context, make()))
      } catch (error) {
        reject(error)
      }
    }
    this.isAtWork = false
  }

  private async make(context: Waiting['context'], steps: AnswerSteps): Promise<JsonText> {
    for (;;) {
      if (this.spent >= turnCost) {
        await nextTurn()
        this.spent = 0
      }
      if (context.isGone) return new JsonText('null')
      const { done, value } = steps.next()
      if (done) return value
      this.spent += value
    }
  }
}
