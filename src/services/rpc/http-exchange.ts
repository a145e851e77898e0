import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { HeldBytes } from '../../base/primitives/held-bytes.js'
import type { Logger } from '../../io/telemetry/logger.js'
import { callerHost } from './caller-host.js'
import type { CallContext, Caller } from './rpc-method.js'

/** Written at once of a large answer: a caller that takes this much between two looks at it is not stuck. */
const sliceBytes = 64 * 1024

/** Where exchanges say what they hold. */
export interface ExchangeKeeping {
  readonly held: HeldBytes<Caller>
  /** Those whose answer is not all taken. */
  readonly sending: Set<HttpExchange>
  readonly logger: Logger
}

/** One HTTP request and its answer: the call as its methods see it, and what the server holds for it. */
export class HttpExchange implements CallContext, Caller {
  readonly subscriber = null
  private readonly goneListeners = new Set<() => void>()
  /** Of a large answer what is not written yet, and how much it was when `isStuck` was last asked. */
  private unsentBytes = 0
  private unsentBytesBefore = -1
  private bodyBytes = 0

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    private readonly keeping: ExchangeKeeping,
  ) {
    // A caller that leaves in the middle is told of by 'close'.
    response.on('error', () => {})
    response.once('close', () => {
      keeping.held.set(this, 0)
      keeping.sending.delete(this)
      for (const listener of [...this.goneListeners]) listener()
    })
  }

  /** The caller's IP address. */
  get remote(): string {
    return this.request.socket.remoteAddress ?? ''
  }

  get host(): string | null {
    return callerHost(this.remote)
  }

  get caller(): unknown {
    return this.host ?? this.request.socket
  }

  whenGone(listener: () => void): () => void {
    this.goneListeners.add(listener)
    return () => this.goneListeners.delete(listener)
  }

  // Only subscriptions wait for their answer, and HTTP has none.
  afterAnswer(): void {}

  disconnect(reason: string): void {
    if (this.isGone) return
    this.keeping.logger.info('rpc connection dropped', { remote: this.remote, reason })
    this.request.socket.destroy()
  }

  get isGone(): boolean {
    return this.request.socket.destroyed
  }

  holds(bytes: number): void {
    if (!this.isGone) this.keeping.held.set(this, this.bodyBytes + bytes)
  }

  /** Says how many bytes of the request are kept. */
  keeps(bodyBytes: number): void {
    this.bodyBytes = bodyBytes
    this.holds(0)
  }

  /** Sends the answer, a large one as the caller takes it. */
  send(status: number, headers: OutgoingHttpHeaders, text: string): void {
    if (this.isGone) return
    this.response.writeHead(status, headers)
    this.keeping.sending.add(this)
    this.bodyBytes = 0
    this.holds(text.length)
    if (text.length > sliceBytes) void this.sendSlices(Buffer.from(text))
    else this.response.end(text)
  }

  /** Whether the caller took nothing of its answer since this was last asked. */
  isStuck(): boolean {
    const isStuck = this.unsentBytes === this.unsentBytesBefore
    this.unsentBytesBefore = this.unsentBytes
    return isStuck
  }

  /** Never resolves when the caller leaves before the end. */
  private async sendSlices(body: Buffer): Promise<void> {
    const { response } = this
    for (let at = 0; at < body.length; at += sliceBytes) {
      this.unsentBytes = body.length - at
      if (!response.write(body.subarray(at, at + sliceBytes)))
        await new Promise(resolve => response.once('drain', resolve))
    }
    response.end()
  }
}
