import { FairQueue } from '../../../../base/primitives/fair-queue.js'
import type { Asker } from '../../execution-client.js'
import { ExecutionError } from '../../execution-error.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'
import { timeoutError, withdrawnError } from './call-timer.js'
import type { QueryWorkerData } from './query-worker.js'
import { WorkerLink } from './worker-link.js'
import { queryWorkerScript } from './worker-scripts.js'

interface Job {
  readonly number: number
  readonly method: string
  readonly args: readonly unknown[]
  readonly caller: unknown
  /** A query is bounded in time; a read of the owner waits as long as it takes. */
  readonly isBounded: boolean
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** What a closed client answers. */
export function closedError(): ExecutionError {
  return new ExecutionError('CLOSED', 'the execution client is closed')
}

/** Beyond the time limit, how long a request may take to notice it before its thread is replaced. */
const graceMs = 1_000
const maxNumber = 0x7fffffff

/** One query thread with its queue: bounded, callers in turn, each request bounded in time, a stuck or dead thread replaced. */
export class QueryLane {
  private link: WorkerLink | null = null
  private readonly waiting: FairQueue<Job>
  /** Reads of the owner, and what the next thread has to begin again: before those that wait. */
  private first: Job[] = []
  /** Requests that a thread has, oldest first, with that thread. */
  private readonly running = new Map<Job, WorkerLink>()
  private readonly stop = new SharedArrayBuffer(4)
  private nextNumber = 1
  private isClosed = false

  constructor(
    private readonly options: Omit<QueryWorkerData, 'stop'> & {
      /** What it answers, in the plural. */
      readonly name: string
      readonly maxWaiting: number
      /** Requests handed to the thread before earlier ones are answered. */
      readonly maxRunning: number
      /** What its thread runs, unless it is the worker of queries. */
      readonly script?: URL
    },
  ) {
    this.waiting = new FairQueue(options.maxWaiting)
  }

  /** What a method of the thread answers to a caller. @throws ExecutionRpcError, limitExceeded when too many wait */
  query<Value>(method: string, args: readonly unknown[], { caller, signal }: Asker = {}): Promise<Value> {
    if (signal?.aborted) return Promise.reject(withdrawnError())
    const { job, answer } = this.newJob(method, number => [number, ...args], { caller, isBounded: true })
    this.waiting.push(caller, job)?.reject(
      new ExecutionRpcError({
        code: rpcErrorCodes.limitExceeded,
        message: `too many concurrent ${this.options.name}`,
      }),
    )
    const withdraw = () => this.withdraw(job)
    signal?.addEventListener('abort', withdraw, { once: true })
    this.dispatch()
    return answer.finally(() => signal?.removeEventListener('abort', withdraw)) as Promise<Value>
  }

  /** A read of the client's owner: it goes before the queries that wait, and is never refused. */
  read<Value>(method: string, args: readonly unknown[]): Promise<Value> {
    const { job, answer } = this.newJob(method, () => args, { caller: undefined, isBounded: false })
    this.first.unshift(job)
    this.dispatch()
    return answer as Promise<Value>
  }

  /** Starts the thread before it is needed, if it does not run. */
  warm(): void {
    if (!this.link && !this.isClosed) this.start()
  }

  /** Refuses what waits and what runs, and joins the thread. */
  async close(): Promise<void> {
    this.isClosed = true
    this.refuseAll()
    const { link } = this
    this.link = null
    await link?.terminate()
  }

  private newJob(
    method: string,
    args: (number: number) => readonly unknown[],
    { caller, isBounded }: Pick<Job, 'caller' | 'isBounded'>,
  ): { job: Job; answer: Promise<unknown> } {
    const number = this.nextNumber
    this.nextNumber = number === maxNumber ? 1 : number + 1
    const { promise, resolve, reject } = promiseParts()
    return { job: { number, method, args: args(number), caller, isBounded, resolve, reject }, answer: promise }
  }

  private dispatch(): void {
    if (this.isClosed) return this.refuseAll()
    while (this.running.size < this.options.maxRunning) {
      const job = this.next()
      if (job === undefined) return
      this.run(job)
    }
  }

  private next(): Job | undefined {
    return this.first.shift() ?? this.waiting.shift()
  }

  private refuseAll(): void {
    for (const job of this.running.keys()) job.reject(closedError())
    this.running.clear()
    for (let job = this.next(); job; job = this.next()) job.reject(closedError())
  }

  private run(job: Job): void {
    const link = this.link ?? this.start()
    this.running.set(job, link)
    const isHere = () => this.running.get(job) === link
    let timer: NodeJS.Timeout | undefined
    const watch = (delayMs: number) => {
      if (!isHere()) return
      timer = setTimeout(() => {
        // Requests are answered in order: only the first can be the one that hangs.
        if (this.running.keys().next().value === job) void this.replace(link, job)
        else watch(this.options.timeoutMs)
      }, delayMs)
    }
    // A thread that is still starting is not late.
    if (job.isBounded) void link.ready.then(() => watch(this.options.timeoutMs + graceMs))
    link
      .call(job.method, job.args)
      .then(job.resolve, error => {
        // Its thread was replaced under it, through no fault of its own: it waits for the next one.
        if (error instanceof ExecutionError && error.code === 'WORKER_FAILED' && !isHere()) return
        job.reject(error)
      })
      .finally(() => {
        clearTimeout(timer)
        if (isHere()) this.running.delete(job)
        this.dispatch()
      })
  }

  /** Takes the thread from a request that does not end; the requests behind it go to the next thread. */
  private async replace(link: WorkerLink, culprit: Job): Promise<void> {
    if (this.link !== link) return
    this.link = null
    culprit.reject(timeoutError(this.options))
    this.running.delete(culprit)
    this.first = [...this.running.keys(), ...this.first]
    this.running.clear()
    await link.terminate()
    this.dispatch()
  }

  private withdraw(job: Job): void {
    if (this.running.has(job)) Atomics.store(new Int32Array(this.stop), 0, job.number)
    else if (!this.waiting.remove(job.caller, job)) this.first = this.first.filter(other => other !== job)
    job.reject(withdrawnError())
  }

  private start(): WorkerLink {
    const { name, maxWaiting: _waiting, maxRunning: _running, script = queryWorkerScript, ...rest } = this.options
    const data: QueryWorkerData = { ...rest, stop: this.stop }
    const link = new WorkerLink({
      script,
      name,
      data,
      youngGenerationMb: 32,
    })
    this.link = link
    void link.died.then(() => {
      if (this.link === link) this.link = null
      this.dispatch()
    })
    return link
  }
}

function promiseParts(): {
  promise: Promise<unknown>
  resolve: (value: unknown) => void
  reject: (error: Error) => void
} {
  let resolve: (value: unknown) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise((accept, refuse) => {
    resolve = accept
    reject = refuse
  })
  return { promise, resolve, reject }
}
