import { Worker } from 'node:worker_threads'
import { DecodeError } from '../../../../base/encoding/decode-error.js'
import { InvariantError } from '../../../../base/primitives/invariant.js'
import { MorphismError } from '../../../../base/primitives/morphism-error.js'
import type { RpcErrorShape } from '../../execution-client.js'
import { ExecutionError, type ExecutionErrorCode } from '../../execution-error.js'
import { ExecutionRpcError } from '../../execution-rpc-error.js'

/** What travels to a worker. */
export interface LinkRequest {
  readonly id: number
  readonly method: string
  readonly args: readonly unknown[]
}

/** An error as it crosses threads. */
export interface WireError {
  readonly name: string
  readonly code: string
  readonly message: string
  readonly data: Readonly<Record<string, unknown>>
  readonly rpc?: RpcErrorShape
}

/** What comes back. */
export type LinkReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError }

/** Offered by every worker. */
export const readyMethod = 'ready'

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** Calls methods of one worker thread; once the thread has died, all calls fail, and `died` resolves with the reason. */
export class WorkerLink {
  readonly died: Promise<ExecutionError>
  /** Resolves when the thread answers calls, or never will. */
  readonly ready: Promise<void>
  private readonly worker: Worker
  private readonly pending = new Map<number, Pending>()
  private nextId = 0
  private failure: ExecutionError | null = null

  constructor({
    script,
    name,
    data,
    youngGenerationMb,
  }: {
    readonly script: URL
    readonly name: string
    readonly data: unknown
    readonly youngGenerationMb: number
  }) {
    const resourceLimits = { maxYoungGenerationSizeMb: youngGenerationMb }
    this.worker = new Worker(script, { name, workerData: data, resourceLimits })
    this.worker.on('message', (reply: LinkReply) => this.settle(reply))
    this.died = new Promise(resolve => {
      const fail = (cause: unknown) => resolve(this.fail(`the ${name} thread stopped: ${textOf(cause)}`, cause))
      this.worker.on('error', fail)
      this.worker.on('messageerror', fail)
      this.worker.on('exit', code => fail(`exit code ${code}`))
    })
    this.ready = this.call<void>(readyMethod, []).catch(() => {})
  }

  /** All calls fail. */
  get hasDied(): boolean {
    return this.failure !== null
  }

  /** @throws what the method threw, or ExecutionError WORKER_FAILED */
  call<Value>(method: string, args: readonly unknown[], transfer: readonly ArrayBuffer[] = []): Promise<Value> {
    if (this.failure !== null) return Promise.reject(this.failure)
    const request: LinkRequest = { id: this.nextId++, method, args }
    return new Promise<Value>((resolve, reject) => {
      this.pending.set(request.id, { resolve: value => resolve(value as Value), reject })
      this.worker.postMessage(request, transfer)
    })
  }

  /** Stops the thread, whatever it is doing, once it has loaded: torn from that, its native modules would abort the process. */
  async terminate(): Promise<void> {
    await this.ready
    await this.worker.terminate()
  }

  private settle(reply: LinkReply): void {
    const call = this.pending.get(reply.id)
    this.pending.delete(reply.id)
    if (call === undefined) return
    if ('error' in reply) call.reject(fromWire(reply.error))
    else call.resolve(reply.value)
  }

  private fail(message: string, cause: unknown): ExecutionError {
    if (this.failure !== null) return this.failure
    this.failure = new ExecutionError('WORKER_FAILED', message, {}, { cause })
    for (const { reject } of this.pending.values()) reject(this.failure)
    this.pending.clear()
    return this.failure
  }
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

function fromWire({ name, code, message, data, rpc }: WireError): Error {
  if (rpc !== undefined) return new ExecutionRpcError(rpc)
  if (name === 'InvariantError') return new InvariantError(message, data)
  if (name === 'DecodeError') return new DecodeError(message, data)
  if (name === 'ExecutionError') return new ExecutionError(code as ExecutionErrorCode, message, data)
  return new MorphismError(code, message, data)
}

/** An error in the form that crosses threads. */
export function toWire(error: unknown): WireError {
  if (error instanceof ExecutionRpcError) return { ...base(error), rpc: error.rpc }
  if (error instanceof MorphismError) return base(error)
  const { name, message, stack } = error instanceof Error ? error : new RangeError(String(error))
  return { name: 'ExecutionError', code: 'WORKER_FAILED', message: `${name}: ${message}`, data: { stack } }
}

const base = ({ name, code, message, data }: MorphismError): WireError => ({ name, code, message, data })
