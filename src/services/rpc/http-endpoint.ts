import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../io/time/clock.js'
import { isOriginAllowed } from './origin.js'
import type { RpcConfig } from './rpc-config.js'
import type { RpcDispatcher } from './rpc-dispatcher.js'
import type { CallContext } from './rpc-method.js'

/** How long a refused caller may go on sending before it is cut off: closed at once, it would never read why. */
const lingerMs = 500
const jsonContentTypes = new Set(['application/json', 'application/json-rpc', 'application/jsonrequest'])

/** Answers JSON-RPC posted over HTTP, with the status codes of geth. */
export class HttpEndpoint {
  private isClosing = false

  constructor(
    private readonly options: {
      config: Pick<RpcConfig, 'corsOrigins' | 'maxBodyBytes'>
      dispatcher: RpcDispatcher
      clock: Pick<Clock, 'schedule'>
    },
  ) {}

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.headers.origin !== undefined) this.allowOrigin(request.headers.origin, response)
    const refusal = this.refusal(request)
    if (refusal) this.refuse(request, response, refusal)
    else if (request.method === 'OPTIONS') response.writeHead(204).end()
    else this.readBody(request, response)
  }

  /** From now on each answer is the last of its connection. */
  closeAfterAnswers(): void {
    this.isClosing = true
  }

  private allowOrigin(origin: string, response: ServerResponse): void {
    response.setHeader('vary', 'origin')
    if (!isOriginAllowed(origin, this.options.config.corsOrigins)) return
    response.setHeader('access-control-allow-origin', origin)
    response.setHeader('access-control-allow-methods', 'POST, OPTIONS')
    response.setHeader('access-control-allow-headers', 'content-type')
    response.setHeader('access-control-max-age', '600')
  }

  private refusal({ url = '/', method, headers }: IncomingMessage): { status: number; text: string } | null {
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

  private readBody(request: IncomingMessage, response: ServerResponse): void {
    const { maxBodyBytes } = this.options.config
    const chunks: Buffer[] = []
    let length = 0
    const onData = (chunk: Buffer) => {
      length += chunk.length
      if (length <= maxBodyBytes) {
        chunks.push(chunk)
        return
      }
      chunks.length = 0
      request.off('data', onData)
      request.off('end', onEnd)
      this.refuse(request, response, this.tooLarge(length))
    }
    const onEnd = () => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      void this.answer(body.toString('utf8'), request, response)
    }
    request.on('data', onData)
    request.on('end', onEnd)
  }

  private async answer(text: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const context = new HttpCall(response)
    const answer = await this.options.dispatcher.answer(text, request.socket.remoteAddress ?? '', context)
    const body = answer.text ?? ''
    response.writeHead(answer.isRateLimited ? 429 : 200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(this.isClosing ? { connection: 'close' } : {}),
    })
    response.end(body)
  }
}

/** One HTTP request as its methods see it. */
class HttpCall implements CallContext {
  readonly subscriber = null
  private readonly goneListeners = new Set<() => void>()

  constructor(response: ServerResponse) {
    response.once('close', () => {
      for (const listener of [...this.goneListeners]) listener()
    })
  }

  whenGone(listener: () => void): () => void {
    this.goneListeners.add(listener)
    return () => this.goneListeners.delete(listener)
  }

  // Only subscriptions wait for their answer, and HTTP has none.
  afterAnswer(): void {}
}

function isJsonContentType(header: string | undefined): boolean {
  if (header === 'application/json') return true
  return jsonContentTypes.has((header ?? '').split(';')[0]!.trim().toLowerCase())
}
