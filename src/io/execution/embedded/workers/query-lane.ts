import { FairQueue } from '../../../../base/primitives/fair-queue.js'
import type { Asker } from '../../execution-client.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'
import { timeoutError, withdrawnError } from './call-timer.js'
import { closedError, QueryThread, type QueryThreadOptions } from './query-thread.js'

interface Job {
  readonly number: number
  readonly method: string
  readonly args: readonly unknown[]
  readonly caller: unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Beyond the time limit, how long a request may take to notice it before its thread is replaced. */
const graceMs = 1_000
const maxNumber = 0x7fffffff

/**
 * One query thread with its queue: bounded, callers in turn, each request bounded in time, a stuck or dead thread replaced. The
 * thread has one request at a time: what waits there would be out of its caller's turn, and its time would run before it does.
 */
export class QueryLane {
  private readonly thread: QueryThread
  private readonly waiting: FairQueue<Job>
  private running: Job | null = null
  private nextNumber = 1

  constructor(private readonly options: QueryThreadOptions & { readonly maxWaiting: number }) {
    const { maxWaiting, ...thread } = options
    this.thread = new QueryThread(thread)
    this.waiting = new FairQueue(maxWaiting)
  }

  /** What a method of the thread answers to a caller. @throws ExecutionRpcError, limitExceeded when too many wait */
  query<Value>(method: string, args: readonly unknown[], { caller, signal }: Asker = {}): Promise<Value> {
    if (signal?.aborted) return Promise.reject(withdrawnError())
    const { promise, resolve, reject } = promiseParts()
    const number = this.newNumber()
    const job: Job = { number, method, args: [number, ...args], caller, resolve, reject }
    this.waiting.push(caller, job)?.reject(
      new ExecutionRpcError({
        code: rpcErrorCodes.limitExceeded,
        message: `too many concurrent ${this.options.name}`,
      }),
    )
    const withdraw = () => this.withdraw(job)
    signal?.addEventListener('abort', withdraw, { once: true })
    this.dispatch()
    return promise.finally(() => signal?.removeEventListener('abort', withdraw)) as Promise<Value>
  }

  /** Starts the thread before it is needed, if it does not run. */
  warm(): void {
    this.thread.warm()
  }

  /** Refuses what waits and what runs, and joins the thread. */
  async close(): Promise<void> {
    this.running?.reject(closedError())
    for (let job = this.waiting.shift(); job; job = this.waiting.shift()) job.reject(closedError())
    await this.thread.close()
  }

  private newNumber(): number {
    const number = this.nextNumber
    this.nextNumber = number === maxNumber ? 1 : number + 1
    return number
  }

  private dispatch(): void {
    if (this.running) return
    const job = this.waiting.shift()
    if (job === undefined) return
    this.running = job
    void this.run(job).finally(() => {
      this.running = null
      this.dispatch()
    })
  }

  private async run(job: Job): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    let end: Promise<void> | undefined
    try {
      const link = this.thread.link()
      // A thread that is still starting is not late.
      await link.ready
      timer = setTimeout(() => {
        job.reject(timeoutError(this.options))
        end = link.terminate()
      }, this.options.timeoutMs + graceMs)
      job.resolve(await link.call(job.method, job.args))
    } catch (error) {
      job.reject(error)
    } finally {
      clearTimeout(timer)
      await end
    }
  }

  private withdraw(job: Job): void {
    if (this.running === job) this.thread.stop(job.number)
    else this.waiting.remove(job.caller, job)
    job.reject(withdrawnError())
  }
}

function promiseParts(): {
  promise: Promise<unknown>
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
} {
  let resolve: (value: unknown) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise((accept, refuse) => {
    resolve = accept
    reject = refuse
  })
  return { promise, resolve, reject }
}
