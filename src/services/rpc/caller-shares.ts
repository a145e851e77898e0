import { withdrawnError } from '../../io/execution/embedded/workers/call-timer.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../io/execution/execution-rpc-error.js'

interface Share {
  running: number
  /** Let the next ones run. */
  readonly waiting: Set<() => void>
}

/** Lets each caller have so much under way at once; what is more waits for his own, not in the way of others. */
export class CallerShares<Caller> {
  private readonly shares = new Map<Caller, Share>()

  constructor(private readonly most: { readonly together: number; readonly waiting: number }) {}

  /** Does the task when it is its turn; not at all when the signal came before. @throws ExecutionRpcError limitExceeded when too much of the caller waits */
  async run<Value>(caller: Caller, task: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
    const share = this.shares.get(caller) ?? { running: 0, waiting: new Set() }
    this.shares.set(caller, share)
    if (share.running >= this.most.together) await this.waitFor(share, signal)
    else share.running++
    try {
      return await task()
    } finally {
      this.passOn(caller, share)
    }
  }

  /** Resolves with the place of one that is over. */
  private waitFor({ waiting }: Share, signal: AbortSignal): Promise<void> {
    if (waiting.size >= this.most.waiting)
      throw new ExecutionRpcError({
        code: rpcErrorCodes.limitExceeded,
        message: 'too many concurrent long queries of one caller',
      })
    return new Promise((resolve, reject) => {
      waiting.add(resolve)
      signal.addEventListener('abort', () => {
        if (waiting.delete(resolve)) reject(withdrawnError())
      })
    })
  }

  private passOn(caller: Caller, share: Share): void {
    const [next] = share.waiting
    if (next) {
      share.waiting.delete(next)
      next()
    } else if (--share.running === 0) this.shares.delete(caller)
  }
}
