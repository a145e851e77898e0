import { JsonText } from '../../base/encoding/json.js'
import { RpcArguments } from '../../io/execution/embedded/queries/rpc-argument.js'
import type { RpcErrorShape } from '../../io/execution/execution-client.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../io/execution/execution-rpc-error.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Counter, Metrics } from '../../io/telemetry/metrics.js'
import { hostOf } from './caller-host.js'
import {
  type CallId,
  errorText,
  invalidRequest,
  parseErrorCode,
  type RpcRequest,
  readRequest,
  responseTooLargeCode,
  resultText,
} from './json-rpc.js'
import { messageWeight } from './message-weight.js'
import type { RpcConfig } from './rpc-config.js'
import type { CallContext, RpcMethod, RpcMethods } from './rpc-method.js'
import type { TokenBuckets } from './token-buckets.js'

/** What goes back to the caller: nothing for notifications, and whether the rate limit refused it. */
export interface RpcAnswer {
  readonly text: string | null
  readonly isRateLimited?: boolean
}

/** Calls of a batch that run at the same time. */
const batchParallelism = 50
/** Methods that work long on the main thread when they have much to tell: of a batch with one, one call runs at a time. */
const slowMethods: ReadonlySet<string> = new Set([
  'txpool_content',
  'txpool_contentFrom',
  'txpool_inspect',
  'eth_getFilterChanges',
])
const maxParamsDepth = 32
const latencyBuckets = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30]
const nothing: RpcAnswer = { text: null }

/** The text of an answer, null for a notification, and how many characters were made for it. */
interface Made {
  readonly text: string | null
  readonly length: number
}

interface Entry {
  readonly run: RpcMethod
  requests: Counter | null
}

/** Reads messages, calls their methods and writes the answers; the same for every transport. */
export class RpcDispatcher {
  private readonly methods: ReadonlyMap<string, Entry>
  private underWay = 0
  private readonly errors: Counter
  private readonly latency

  constructor(
    private readonly options: {
      config: Pick<RpcConfig, 'maxBatch' | 'maxBatchResponseBytes' | 'maxConcurrentRequests'>
      methods: RpcMethods
      buckets: TokenBuckets
      logger: Logger
      metrics: Metrics
    },
  ) {
    this.methods = new Map(Object.entries(options.methods).map(([name, run]) => [name, { run, requests: null }]))
    this.errors = options.metrics.counter('morphism_rpc_errors_total', 'JSON-RPC calls answered with an error')
    this.latency = options.metrics.histogram(
      'morphism_rpc_call_seconds',
      'Time from a JSON-RPC call to its answer',
      latencyBuckets,
    )
  }

  /** Answers one message or batch; `remote` is the caller's IP address. Never rejects. */
  async answer(text: string, remote: string, context: CallContext): Promise<RpcAnswer> {
    const weight = messageWeight(text)
    if (weight === null)
      return {
        text: errorText(
          null,
          invalidRequest('message or batch has too many values, or too much besides plain strings'),
        ),
      }
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      this.errors.inc()
      return { text: errorText(null, { code: parseErrorCode, message: 'parse error' }) }
    }
    context.holds(weight)
    if (context.isGone) return nothing
    if (Array.isArray(message)) return this.answerBatch(message, { remote, context, weight })
    const request = readRequest(message)
    if (!this.options.buckets.take(hostOf(remote), 1)) return rateLimited(request.id ?? null)
    return { text: (await this.answerOne(request, context)).text }
  }

  private async answerBatch(
    batch: readonly unknown[],
    { remote, context, weight }: { remote: string; context: CallContext; weight: number },
  ): Promise<RpcAnswer> {
    const { maxBatch, maxBatchResponseBytes } = this.options.config
    if (batch.length === 0) return { text: errorText(null, invalidRequest('empty batch')) }
    if (batch.length > maxBatch) {
      const first = batch.slice(0, maxBatch).map(readRequest).find(isCall)
      return { text: `[${errorText(first?.id ?? null, invalidRequest('batch too large'))}]` }
    }
    const requests = batch.map(readRequest)
    if (!this.options.buckets.take(hostOf(remote), batch.length)) return rateLimited(requests.find(isCall)?.id ?? null)
    const answers: string[] = []
    let madeLength = 0
    let heldLength = 0
    let isFull = false
    const answerWithin = async (request: RpcRequest) => {
      const { text, length } = await this.answerOne(request, context)
      isFull ||= madeLength + length > maxBatchResponseBytes
      if (isFull) return tooLarge(request)
      madeLength += length
      if (text === null) return null
      heldLength += length
      context.holds(weight + heldLength)
      return text
    }
    // Of slow ones none works in vain when the answers are too large together.
    const together = requests.some(isSlow) ? 1 : batchParallelism
    for (let at = 0; at < requests.length; at += together) {
      if (context.isGone) return nothing
      const part = requests.slice(at, at + together)
      const texts = isFull ? part.map(tooLarge) : await Promise.all(part.map(answerWithin))
      for (const text of texts) if (text !== null) answers.push(text)
    }
    return answers.length > 0 ? { text: `[${answers.join(',')}]` } : nothing
  }

  private async answerOne(request: RpcRequest, context: CallContext): Promise<Made> {
    if (!request.valid) {
      this.errors.inc()
      return made(errorText(request.id, invalidRequest('invalid request')))
    }
    const startMs = performance.now()
    this.underWay++
    try {
      const { id, method, params } = request
      const result = await this.call(method, params, context)
      if (id !== undefined) return made(resultText(id, result))
      return { text: null, length: result instanceof JsonText ? result.text.length : 0 }
    } catch (error) {
      this.errors.inc()
      const shape = this.toRpcError(error, request.method)
      return request.id === undefined ? { text: null, length: 0 } : made(errorText(request.id, shape))
    } finally {
      this.underWay--
      this.latency.observe((performance.now() - startMs) / 1000)
    }
  }

  // Async, so that a refusal takes as many turns as an answer and messages of one caller are answered in order.
  private async call(name: string, params: unknown, context: CallContext): Promise<unknown> {
    const method = this.methods.get(name)
    if (!method)
      throw new ExecutionRpcError({
        code: rpcErrorCodes.methodNotFound,
        message: `the method ${name.slice(0, 200)} does not exist/is not available`,
      })
    method.requests ??= this.options.metrics.counter(`morphism_rpc_${name}_requests_total`, `Calls of ${name}`)
    method.requests.inc()
    if (this.underWay > this.options.config.maxConcurrentRequests)
      throw new ExecutionRpcError({ code: rpcErrorCodes.limitExceeded, message: 'too many concurrent requests' })
    const list = positional(params)
    return method.run({ args: new RpcArguments(list), params: list, context })
  }

  private toRpcError(error: unknown, method: string): RpcErrorShape {
    if (error instanceof ExecutionRpcError) return error.rpc
    this.options.logger.error('rpc call failed', { method, error })
    return { code: rpcErrorCodes.internal, message: 'internal error' }
  }
}

const made = (text: string): Made => ({ text, length: text.length })

const isSlow = (request: RpcRequest): boolean => request.valid && slowMethods.has(request.method)

const isCall = (request: RpcRequest): boolean => request.valid && request.id !== undefined

const rateLimited = (id: CallId): RpcAnswer => ({
  text: errorText(id, { code: rpcErrorCodes.limitExceeded, message: 'rate limit exceeded' }),
  isRateLimited: true,
})

function tooLarge(request: RpcRequest): string | null {
  if (request.id === undefined) return null
  return errorText(request.id, { code: responseTooLargeCode, message: 'response too large' })
}

function positional(params: unknown): readonly unknown[] {
  if (params === undefined || params === null) return []
  const invalid = (message: string) => new ExecutionRpcError({ code: rpcErrorCodes.invalidParams, message })
  if (!Array.isArray(params)) throw invalid('non-array args')
  if (!isShallow(params, maxParamsDepth)) throw invalid('params are nested too deep')
  return params
}

/** Whether nothing in the value lies deeper than `levels`: later copies of it recurse. */
function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (levels === 0) return false
  for (const item of Object.values(value)) if (typeof item === 'object' && !isShallow(item, levels - 1)) return false
  return true
}
