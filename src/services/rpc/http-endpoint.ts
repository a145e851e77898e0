import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { bufferBytes, type HeldBytes } from '../../base/primitives/held-bytes.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Clock } from '../../io/time/clock.js'
import { type ExchangeKeeping, HttpExchange } from './http-exchange.js'
import { isOriginAllowed } from './origin.js'
import type { RpcConfig } from './rpc-config.js'
import type { RpcDispatcher } from './rpc-dispatcher.js'
import type { Caller } from './rpc-method.js'
import { isVirtualHostAllowed } from './virtual-host.js'

/** How long a refused caller may go on sending before it is cut off: closed at once, it would never read why. */
const lingerMs = 500
/**
 * How often those that are sent an answer are looked at; who took nothing of it since the last time is dropped. A kernel takes
 * more of an answer only when a third of its send buffer is free, up to 1.4 MB: a reader of 50 kB/s is kept.
 */
const lookMs = 30_000
/** Requests of one connection that may wait for the answers before theirs. */
const maxWaiting = 16
const jsonContentTypes = new Set(['application/json', 'application/json-rpc', 'application/jsonrequest'])

/** Answers JSON-RPC posted over HTTP, with the status codes of geth. */
export class HttpEndpoint {
  private readonly keeping: ExchangeKeeping
  private readonly waiting = new WeakMap<Socket, number>()
  private isClosing = false
  private cancelLook: () => void

  constructor(
    private readonly options: {
      config: Pick<RpcConfig, 'corsOrigins' | 'virtualHosts' | 'maxBodyBytes'>
      dispatcher: RpcDispatcher
      held: HeldBytes<Caller>
      clock: Pick<Clock, 'schedule'>
      logger: Logger
    },
  ) {
    this.keeping = { held: options.held, sending: new Set(), logger: options.logger }
    this.cancelLook = this.scheduleLook()
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const exchange = new HttpExchange(request, response, this.keeping)
    if (response.socket) this.begin(exchange)
    else this.queue(exchange)
  }

  /** Ends a connection that brings no HTTP, saying so unless it is in the middle of an answer. */
  handleError(socket: Duplex): void {
    const isAnswering = [...this.keeping.sending].some(({ request }) => request.socket === socket)
    if (isAnswering || !socket.writable) socket.destroy()
    else socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n', () => socket.destroy())
  }

  /** Answers a pipelined request when the answer before is taken, so that a connection never holds two. */
  private queue(exchange: HttpExchange): void {
    const { socket } = exchange.request
    const count = (this.waiting.get(socket) ?? 0) + 1
    this.waiting.set(socket, count)
    if (count > maxWaiting) exchange.disconnect('too many requests wait')
    // Node gives a response the socket when the one before it is finished, and is in the middle of it then.
    exchange.response.once('socket', () => {
      this.waiting.set(socket, this.waiting.get(socket)! - 1)
      setImmediate(() => this.begin(exchange))
    })
  }

  private begin(exchange: HttpExchange): void {
    const { request, response } = exchange
    if (request.headers.origin !== undefined) this.allowOrigin(request.headers.origin, response)
    const refusal = this.refusal(request)
    if (refusal) this.refuse(request, response, refusal)
    else if (request.method === 'OPTIONS') exchange.send(204, {}, '')
    else this.readBody(exchange)
  }

  /** From now on each answer is the last of its connection; who does not take his is for others to cut off. */
  closeAfterAnswers(): void {
    this.isClosing = true
    this.cancelLook()
  }

  private scheduleLook(): () => void {
    return this.options.clock.schedule(lookMs, () => {
      for (const exchange of [...this.keeping.sending])
        if (exchange.isStuck()) exchange.disconnect('answer is not read')
      this.cancelLook = this.scheduleLook()
    })
  }

  private allowOrigin(origin: string, response: ServerResponse): void {
    response.setHeader('vary', 'origin')
    if (!this.isFromAllowed(origin)) return
    response.setHeader('access-control-allow-origin', origin)
    response.setHeader('access-control-allow-methods', 'POST, OPTIONS')
    response.setHeader('access-control-allow-headers', 'content-type')
    response.setHeader('access-control-max-age', '600')
  }

  private isFromAllowed(origin: string): boolean {
    return isOriginAllowed(origin, this.options.config.corsOrigins)
  }

  private refusal({ url = '/', method, headers }: IncomingMessage): { status: number; text: string } | null {
    // A browser sends a simple request of any page, and keeps only the answer from it.
    if (headers.origin !== undefined && !this.isFromAllowed(headers.origin))
      return { status: 403, text: 'origin not allowed' }
    if (!isVirtualHostAllowed(headers.host, this.options.config.virtualHosts))
      return { status: 403, text: 'invalid host specified' }
    if (url !== '/' && !url.startsWith('/?')) return { status: 404, text: 'not found' }
    if (method === 'OPTIONS') return null
    if (method !== 'POST') return { status: 405, text: 'method not allowed' }
    const length = Number(headers['content-length'] ?? 0)
    if (length > this.options.config.maxBodyBytes) return this.tooLarge(length)
    if (!isJsonContentType(headers['content-type']))
      return { status: 415, text: 'invalid content type, only application/json is supported' }
    return null
  }

  private tooLarge(length: number): { status: number; text: string } {
    return { status: 413, text: `content length too large (${length}>${this.options.config.maxBodyBytes})` }
  }

  /** Says why, then throws away what still comes, briefly, and closes the connection. */
  private refuse(
    request: IncomingMessage,
    response: ServerResponse,
    { status, text }: { status: number; text: string },
  ): void {
    const body = `${text}\n`
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
      ...(status === 405 ? { allow: 'POST, OPTIONS' } : {}),
    })
    response.write(body)
    // Ended, the response would take the socket with it.
    request.once('end', () => response.end())
    const cancel = this.options.clock.schedule(lingerMs, () => request.socket.destroy())
    request.socket.once('close', cancel)
    request.resume()
  }

  private readBody(exchange: HttpExchange): void {
    const { request, response } = exchange
    const { maxBodyBytes } = this.options.config
    const chunks: Buffer[] = []
    let length = 0
    const onData = (chunk: Buffer) => {
      length += chunk.length
      if (length <= maxBodyBytes) {
        chunks.push(chunk)
        exchange.keeps(length + chunks.length * bufferBytes)
        return
      }
      chunks.length = 0
      exchange.keeps(0)
      request.off('data', onData)
      request.off('end', onEnd)
      this.refuse(request, response, this.tooLarge(length))
    }
    const onEnd = () => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      void this.answer(body.toString('utf8'), exchange)
    }
    request.on('data', onData)
    request.on('end', onEnd)
  }

  private async answer(message: string, exchange: HttpExchange): Promise<void> {
    const { text, isRateLimited } = await this.options.dispatcher.answer(message, exchange.remote, exchange)
    const body = text ?? ''
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(this.isClosing ? { connection: 'close' } : {}),
    }
    exchange.send(isRateLimited ? 429 : 200, headers, body)
  }
}

function isJsonContentType(header: string | undefined): boolean {
  if (header === 'application/json') return true
  return jsonContentTypes.has((header ?? '').split(';')[0]!.trim().toLowerCase())
}
