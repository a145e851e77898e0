import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { HeldBytes } from '../../base/primitives/held-bytes.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Gauge } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { callerHost } from './caller-host.js'
import { isOriginAllowed } from './origin.js'
import type { RpcConfig } from './rpc-config.js'
import type { RpcDispatcher } from './rpc-dispatcher.js'
import type { CallContext, Caller, Subscriber } from './rpc-method.js'
import type { SubscriptionHub } from './subscription-hub.js'
import { UnfinishedMessage } from './unfinished-message.js'

const pingIntervalMs = 30_000
/** Messages of one connection under way at once; above, it is not read. */
const maxUnderWay = 128
/** Who has not taken more than this is behind. */
const behindBytes = 64 * 1024
const goingAway = 1001
const serviceRestart = 1012
const tryAgainLater = 1013

interface Options {
  readonly config: Pick<RpcConfig, 'corsOrigins' | 'maxBodyBytes' | 'maxUnsentBytes'>
  readonly dispatcher: RpcDispatcher
  readonly hub: SubscriptionHub
  readonly held: HeldBytes<Caller>
  readonly clock: Clock
  readonly logger: Logger
  readonly connections: Gauge
}

/** Answers JSON-RPC over WebSocket, subscriptions included. */
export class WebSocketEndpoint {
  private readonly server: WebSocketServer
  private readonly open = new Set<Connection>()
  private cancelPing: () => void

  constructor(private readonly options: Options) {
    const { maxBodyBytes } = options.config
    this.server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxBodyBytes,
    })
    this.cancelPing = this.schedulePing()
  }

  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy())
    const { origin } = request.headers
    const path = request.url ?? '/'
    const isAllowed = origin === undefined || isOriginAllowed(origin, this.options.config.corsOrigins)
    if (path !== '/' && !path.startsWith('/?')) refuseUpgrade(socket, '404 Not Found')
    else if (isAllowed) this.accept(request, socket, head)
    else refuseUpgrade(socket, '403 Forbidden')
  }

  private accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.server.handleUpgrade(request, socket, head, webSocket => {
      const connection = new Connection(webSocket, request.socket, this.options)
      this.open.add(connection)
      this.options.connections.set(this.open.size)
      connection.whenGone(() => {
        this.open.delete(connection)
        this.options.connections.set(this.open.size)
      })
    })
  }

  /** Takes no more connections and says goodbye to those there are; what then is still open is for `cut` to end. */
  close(isRestart: boolean): void {
    this.cancelPing()
    for (const connection of [...this.open])
      if (isRestart) connection.sayGoodbye(serviceRestart, 'server restarts')
      else connection.sayGoodbye(goingAway, 'server is stopping')
    this.server.close()
  }

  /** Ends every connection, whether its peer has answered or not. */
  cut(): void {
    for (const connection of [...this.open]) connection.cut()
  }

  private schedulePing(): () => void {
    return this.options.clock.schedule(pingIntervalMs, () => {
      for (const connection of [...this.open]) connection.ping()
      this.cancelPing = this.schedulePing()
    })
  }
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy())
}

/** One WebSocket: reads messages while it keeps up, and ends when its peer does not read. */
class Connection implements Subscriber {
  private readonly goneListeners = new Set<() => void>()
  readonly host: string | null
  private readonly remote: string
  private underWay = 0
  private underWayBytes = 0
  private heldBackBytes = 0
  private readonly unfinished = new UnfinishedMessage()
  private isAlive = true

  constructor(
    private readonly webSocket: WebSocket,
    private readonly socket: Socket,
    private readonly options: Options,
  ) {
    this.remote = socket.remoteAddress ?? ''
    this.host = callerHost(this.remote)
    // Before ws reads the chunk.
    socket.prependListener('data', chunk => this.onChunk(chunk))
    socket.on('drain', () => this.account())
    webSocket.on('message', data => void this.onMessage(data))
    webSocket.on('ping', data => this.unfinished.onControlFrame(data))
    webSocket.on('pong', data => {
      this.unfinished.onControlFrame(data)
      this.isAlive = true
    })
    // ws answers a protocol error with a close frame itself; 'close' follows.
    webSocket.on('error', () => {})
    webSocket.on('close', () => {
      options.hub.drop(this)
      options.held.set(this, 0)
      for (const listener of [...this.goneListeners]) listener()
      this.goneListeners.clear()
    })
  }

  get isOpen(): boolean {
    return this.webSocket.readyState === this.webSocket.OPEN
  }

  whenGone(listener: () => void): () => void {
    this.goneListeners.add(listener)
    return () => this.goneListeners.delete(listener)
  }

  notify(text: string): void {
    if (!this.isOpen) return
    if (this.holdsTooMuch()) {
      this.disconnect('notifications are not read')
      return
    }
    this.gather()
    this.webSocket.send(text)
    this.account()
  }

  get isBehind(): boolean {
    return this.webSocket.bufferedAmount > behindBytes
  }

  /** What is sent until the turn ends goes to the system in one piece: a call of it costs more than the frame. */
  private gather(): void {
    if (this.socket.writableCorked > 0) return
    this.socket.cork()
    process.nextTick(() => this.socket.uncork())
  }

  disconnect(reason: string): void {
    this.socket.uncork()
    this.options.logger.info('rpc connection dropped', { remote: this.remote, reason })
    this.sayGoodbye(tryAgainLater, reason)
    this.cut()
  }

  /** Says goodbye if the socket still takes it; the peer's goodbye ends the connection. */
  sayGoodbye(code: number, reason: string): void {
    this.webSocket.close(code, reason)
  }

  cut(): void {
    this.webSocket.terminate()
  }

  ping(): void {
    if (!this.isAlive) this.disconnect('no answer to ping')
    else if (!this.webSocket.isPaused && this.unfinished.isOverdue()) this.disconnect('message does not end')
    else this.webSocket.ping()
    this.isAlive = false
  }

  /** Counts this many bytes more, or fewer, of calls under way. */
  weigh(bytes: number): void {
    this.underWayBytes += bytes
    this.account()
  }

  holdBack(bytes: number): boolean {
    if (!this.isOpen) return false
    this.heldBackBytes += bytes
    if (this.holdsTooMuch()) this.disconnect('notifications are not read')
    else this.account()
    return this.isOpen
  }

  private holdsTooMuch(): boolean {
    return this.webSocket.bufferedAmount + this.heldBackBytes > this.options.config.maxUnsentBytes
  }

  private onChunk(chunk: Buffer): void {
    this.unfinished.onChunk(chunk)
    if (this.unfinished.heldBytes > 0) this.account()
  }

  /** Says what it makes the server hold. */
  private account(): void {
    if (!this.isOpen) return
    const unsentBytes = this.socket.writableNeedDrain ? this.socket.writableLength : 0
    const { underWayBytes, heldBackBytes } = this
    this.options.held.set(this, this.unfinished.heldBytes + underWayBytes + heldBackBytes + unsentBytes)
  }

  private async onMessage(data: RawData): Promise<void> {
    this.unfinished.onMessage()
    if (!this.isOpen) return
    if (this.holdsTooMuch()) {
      this.disconnect('answers are not read')
      return
    }
    if (++this.underWay >= maxUnderWay) this.webSocket.pause()
    const message = data.toString()
    const call = new WebSocketCall(this, message.length)
    const { text } = await this.options.dispatcher.answer(message, this.remote, call)
    if (text !== null) this.notify(text)
    call.answered()
    if (--this.underWay < maxUnderWay && this.webSocket.isPaused) this.webSocket.resume()
  }
}

/** One message as its methods see it. */
class WebSocketCall implements CallContext {
  private readonly tasks: (() => void)[] = []
  private madeBytes = 0

  constructor(
    readonly subscriber: Connection,
    private readonly messageBytes: number,
  ) {
    subscriber.weigh(messageBytes)
  }

  get host(): string | null {
    return this.subscriber.host
  }

  get caller(): unknown {
    return this.host ?? this.subscriber
  }

  get isGone(): boolean {
    return !this.subscriber.isOpen
  }

  whenGone(listener: () => void): () => void {
    return this.subscriber.whenGone(listener)
  }

  holds(bytes: number): void {
    this.subscriber.weigh(bytes - this.madeBytes)
    this.madeBytes = bytes
  }

  afterAnswer(task: () => void): void {
    this.tasks.push(task)
  }

  answered(): void {
    this.subscriber.weigh(-this.messageBytes - this.madeBytes)
    for (const task of this.tasks) task()
  }
}
