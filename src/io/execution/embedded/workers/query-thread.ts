import { ExecutionError } from '../../execution-error.js'
import type { QueryWorkerData } from './query-worker.js'
import { WorkerLink } from './worker-link.js'
import { queryWorkerScript } from './worker-scripts.js'

/** What a query thread is made of. */
export interface QueryThreadOptions extends Omit<QueryWorkerData, 'stop'> {
  /** What it answers, in the plural. */
  readonly name: string
  /** What it runs, unless it is the worker of queries. */
  readonly script?: URL
}

/** What a closed client answers. */
export function closedError(): ExecutionError {
  return new ExecutionError('CLOSED', 'the execution client is closed')
}

/** A thread that reads the store: it starts when it is needed, and anew once it died. */
export class QueryThread {
  private current: WorkerLink | null = null
  private readonly stopped = new Int32Array(new SharedArrayBuffer(4))
  private isClosed = false

  constructor(private readonly options: QueryThreadOptions) {}

  /** The thread that runs now; starts it if none does. @throws ExecutionError CLOSED */
  link(): WorkerLink {
    if (this.isClosed) throw closedError()
    if (!this.current || this.current.hasDied) this.current = this.start()
    return this.current
  }

  /** Starts the thread before it is needed. */
  warm(): void {
    if (!this.isClosed) this.link()
  }

  /** What a method answers, however long that takes. @throws ExecutionError WORKER_FAILED, CLOSED */
  async call<Value>(method: string, args: readonly unknown[]): Promise<Value> {
    try {
      return await this.link().call<Value>(method, args)
    } catch (error) {
      throw this.isClosed ? closedError() : error
    }
  }

  /** Ends the request of this number from inside, if it is the one that runs. */
  stop(number: number): void {
    Atomics.store(this.stopped, 0, number)
  }

  /** Joins the thread; what it runs is refused. */
  async close(): Promise<void> {
    this.isClosed = true
    await this.current?.terminate()
  }

  private start(): WorkerLink {
    const { name, script = queryWorkerScript, ...rest } = this.options
    const data: QueryWorkerData = { ...rest, stop: this.stopped.buffer as SharedArrayBuffer }
    return new WorkerLink({ script, name, data, youngGenerationMb: 32 })
  }
}
