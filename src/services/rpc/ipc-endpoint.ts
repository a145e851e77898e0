import { createServer, type Server, type Socket } from 'node:net'
import { rpcErrorCodes } from '../../io/execution/execution-rpc-error.js'
import { listenOnUnixSocket } from '../../io/ipc/unix-socket.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { errorText, invalidRequest } from './json-rpc.js'
import { RpcDispatcher } from './rpc-dispatcher.js'
import type { CallContext, RpcMethods } from './rpc-method.js'
import { TokenBuckets } from './token-buckets.js'

/** Most characters of one message. */
export const maxIpcLine = 65_536
/** Connections at once; an operator has one or two. */
export const maxIpcConnections = 8
/** A connection over which nothing goes for so long is closed. */
const idleMs = 60_000
/** How long a refused peer may go on sending before it is cut off: closed at once, it would never read why. */
const lingerMs = 500
const limits = { maxBatch: 16, maxBatchResponseBytes: 1_048_576, maxConcurrentRequests: 32 }

export interface IpcPorts {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Answers JSON-RPC over a Unix socket that only the node's own user can open: one message a line, answered in their order. */
export class IpcEndpoint implements AsyncDisposable {
  private readonly sockets = new Set<Socket>()

  private constructor(
    private readonly server: Server,
    private readonly dispatcher: RpcDispatcher,
    private readonly clock: Pick<Clock, 'schedule'>,
  ) {}

  /** Listens once this resolves. @throws UnixSocketError */
  static async listen({
    path,
    methods,
    ports,
  }: {
    path: string
    methods: RpcMethods
    ports: IpcPorts
  }): Promise<IpcEndpoint> {
    // Whoever asks may have ended his half by the time of the answer.
    const server = createServer({ allowHalfOpen: true })
    const buckets = new TokenBuckets(0, ports.clock)
    const dispatcher = new RpcDispatcher({ config: limits, methods, buckets, ...ports })
    const endpoint = new IpcEndpoint(server, dispatcher, ports.clock)
    server.on('connection', socket => void endpoint.serve(socket))
    await listenOnUnixSocket(server, path)
    server.on('error', error => ports.logger.warn('the administration socket failed to take a connection', { error }))
    return endpoint
  }

  /** Cuts every connection and removes the socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise(resolve => this.server.close(resolve))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  private async serve(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy())
    socket.setTimeout(idleMs, () => socket.destroy())
    this.sockets.add(socket)
    socket.once('close', () => this.sockets.delete(socket))
    if (this.sockets.size > maxIpcConnections)
      return this.refuse(socket, { code: rpcErrorCodes.limitExceeded, message: 'too many connections' })
    try {
      await this.answerLines(socket)
    } catch {
      // The peer went away, or the endpoint closes.
      socket.destroy()
    }
  }

  /** Reads no further while a message is answered, so that one connection holds one message and one chunk. */
  private async answerLines(socket: Socket): Promise<void> {
    socket.setEncoding('utf8')
    let rest = ''
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      for (const line of [...lines, ...(rest.length > maxIpcLine ? [rest] : [])]) {
        if (line.length > maxIpcLine) return this.refuse(socket, invalidRequest('message too large'))
        await this.answer(line, socket)
      }
    }
    await this.answer(rest, socket)
    socket.end()
  }

  private async answer(line: string, socket: Socket): Promise<void> {
    if (line.trim() === '') return
    const { text } = await this.dispatcher.answer(line, 'ipc', new IpcCall(socket))
    if (text !== null && socket.writable) socket.write(`${text}\n`)
  }

  /** Says why, then throws away what still comes, briefly, and closes the connection. */
  private refuse(socket: Socket, error: { code: number; message: string }): void {
    socket.end(`${errorText(null, error)}\n`)
    socket.resume()
    socket.once(
      'close',
      this.clock.schedule(lingerMs, () => socket.destroy()),
    )
  }
}

/** One message as its methods see it. */
class IpcCall implements CallContext {
  readonly subscriber = null
  constructor(private readonly socket: Socket) {}

  get caller(): unknown {
    return this.socket
  }

  whenGone(listener: () => void): () => void {
    this.socket.once('close', listener)
    return () => this.socket.off('close', listener)
  }

  get isGone(): boolean {
    return this.socket.destroyed
  }

  // The endpoint has few connections, each with one small answer.
  holds(): void {}

  // Only subscriptions wait for their answer, and this endpoint has none.
  afterAnswer(): void {}
}
