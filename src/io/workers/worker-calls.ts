import { Worker } from 'node:worker_threads'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'

/** A worker thread died, was closed, or threw something that is no MorphismError. Codes: WORKER_DIED, WORKER_CLOSED, WORKER_FAILED. */
export class WorkerError extends MorphismError {
  override readonly name = 'WorkerError'
}

/** What travels to a worker. */
export interface WorkerRequest {
  readonly id: number
  readonly method: string
  readonly args: readonly unknown[]
}

/** What comes back: a value, or an error by its code. */
export type WorkerReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string; readonly data: object } }

interface PendingCall {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * Calls methods of a worker thread (`serveWorkerCalls`), which starts with the first call and again after it died. The
 * thread alone does not keep the process alive.
 */
export class WorkerCalls {
  private worker: Worker | null = null
  private readonly pending = new Map<number, PendingCall>()
  private nextId = 0
  private closed = false

  constructor(
    private readonly script: URL,
    private readonly name: string,
  ) {}

  /** Arguments are cloned, bytes as copies of their own. @throws WorkerError, or the DecodeError or MorphismError that the method threw */
  call<Value>(method: string, ...args: unknown[]): Promise<Value> {
    if (this.closed) return Promise.reject(new WorkerError('WORKER_CLOSED', `the ${this.name} worker is closed`))
    const worker = this.worker ?? this.start()
    const id = this.nextId++
    return new Promise<Value>((resolve, reject) => {
      this.pending.set(id, { resolve: value => resolve(value as Value), reject })
      worker.ref()
      // Copied first: a view would drag the whole buffer behind it along.
      const moved = args.map(arg => (arg instanceof Uint8Array ? arg.slice() : arg))
      const buffers = moved.flatMap(arg => (arg instanceof Uint8Array ? [arg.buffer as ArrayBuffer] : []))
      worker.postMessage({ id, method, args: moved } satisfies WorkerRequest, buffers)
    })
  }

  /** Stops the thread; calls under way are rejected. */
  async close(): Promise<void> {
    this.closed = true
    await this.worker?.terminate()
    this.failAll(new WorkerError('WORKER_CLOSED', `the ${this.name} worker is closed`))
  }

  private start(): Worker {
    const worker = new Worker(this.script, { name: this.name })
    this.worker = worker
    worker.on('message', (reply: WorkerReply) => this.settle(worker, reply))
    const died = (cause?: unknown) => {
      if (this.worker !== worker) return
      this.worker = null
      this.failAll(new WorkerError('WORKER_DIED', `the ${this.name} worker died`, {}, { cause }))
    }
    worker.on('error', died)
    worker.on('exit', () => died())
    return worker
  }

  private settle(worker: Worker, reply: WorkerReply): void {
    const call = this.pending.get(reply.id)
    this.pending.delete(reply.id)
    if (this.pending.size === 0) worker.unref()
    if (!call) return
    if ('value' in reply) {
      call.resolve(reply.value)
      return
    }
    const { code, message, data } = reply.error
    const fields = data as Readonly<Record<string, unknown>>
    call.reject(code === 'DECODE' ? new DecodeError(message, fields) : new MorphismError(code, message, fields))
  }

  private failAll(error: Error): void {
    const calls = [...this.pending.values()]
    this.pending.clear()
    for (const call of calls) call.reject(error)
  }
}
