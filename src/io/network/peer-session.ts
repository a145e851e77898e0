import { type Clock, pause } from '../time/clock.js'
import { readChannel } from './channel-reader.js'
import { ChannelWriter } from './channel-writer.js'
import type { Connection, Stream } from './libp2p-node.js'
import { muxGuardOf } from './mux-guard.js'
import { channelLimits, channels, type PeerKind, peerAllowances } from './network-limits.js'
import type { Channel, Peer } from './peer-network.js'
import { TokenBucket } from './token-bucket.js'

/** What a session tells its network. */
export interface SessionEvents {
  received(session: PeerSession, channel: Channel, message: Uint8Array): void
  /** What the peer holds in memory by what it sent and is not handed on has changed (bytes). */
  holds(session: PeerSession, bytes: number): void
  dropped(channel: Channel, messages: number): void
  /** The peer cannot keep its channels; the connection must go. */
  failed(session: PeerSession, failure: { reason: string; error?: Error }): void
}

const protocolOf = (channel: Channel) => `/morphism/${channel}/1`

/** The channel of a stream's protocol. */
export const channelProtocols: ReadonlyMap<string, Channel> = new Map(channels.map(c => [protocolOf(c), c]))

/** A peer after its handshake, on the one connection that both sides agreed on. */
export class PeerSession {
  /** Requests of this peer that are being served. */
  serving = 0
  readonly startedAtMs: number
  private requests: { readonly kind: PeerKind; readonly asked: TokenBucket; readonly answered: TokenBucket }
  private readonly gone = new AbortController()
  private readonly writers: Readonly<Record<Channel, ChannelWriter>>
  /** Bytes in memory of what came on each channel and is not handed on. */
  private readonly inbound = new Map<Channel, number>()

  constructor(
    readonly peer: Peer,
    readonly connection: Connection,
    /** What the peer is to this node; the network keeps it true. */
    public kind: PeerKind,
    private readonly ports: { readonly clock: Clock; readonly events: SessionEvents },
  ) {
    const { clock, events } = ports
    this.startedAtMs = clock.nowMs()
    this.requests = this.requestRates()
    const writer = (channel: Channel) =>
      new ChannelWriter(channelLimits[channel], {
        dropped: messages => events.dropped(channel, messages),
        overflowed: () => events.failed(this, { reason: `SLOW_READER on ${channel}` }),
        failed: error => events.failed(this, { reason: 'STREAM_FAILED', error }),
      })
    this.writers = {
      consensus: writer('consensus'),
      transactions: writer('transactions'),
      blocks: writer('blocks'),
      batches: writer('batches'),
      evidence: writer('evidence'),
    }
  }

  /** Aborts when the session ends. */
  get signal(): AbortSignal {
    return this.gone.signal
  }

  /** Opens the outgoing streams, all within the time; messages may be queued before. */
  async open(timeoutMs: number): Promise<void> {
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(timeoutMs)])
    try {
      await Promise.all(
        channels.map(async channel => {
          const stream = await this.connection.newStream(protocolOf(channel), { signal })
          this.watch(stream, channel)
          this.writers[channel].attach(stream)
        }),
      )
    } catch (error) {
      this.ports.events.failed(this, { reason: 'STREAM_FAILED', error: error as Error })
    }
  }

  /** Reads a channel from the peer's stream; a second stream of one channel is a breach of order. */
  accept(channel: Channel, stream: Stream): void {
    if (this.inbound.has(channel)) {
      this.ports.events.failed(this, { reason: `SECOND_STREAM of ${channel}` })
      return
    }
    this.inbound.set(channel, 0)
    this.watch(stream, channel)
    readChannel({
      stream,
      channel,
      kind: () => this.kind,
      clock: this.ports.clock,
      received: message => {
        if (!this.signal.aborted) this.ports.events.received(this, channel, message)
      },
      held: bytes => {
        if (this.inbound.get(channel) === bytes || this.signal.aborted) return
        this.inbound.set(channel, bytes)
        this.ports.events.holds(
          this,
          [...this.inbound.values()].reduce((sum, part) => sum + part, 0),
        )
      },
      failed: error => this.ports.events.failed(this, { reason: `BAD_FRAME on ${channel}`, error }),
    })
  }

  send(channel: Channel, message: Uint8Array): void {
    this.writers[channel].send(message)
  }

  get heardAtMs(): number {
    return muxGuardOf(this.connection).heardAtMs
  }

  get isInbound(): boolean {
    return this.connection.direction === 'inbound'
  }

  /** Whether the peer may ask now. */
  mayAsk(): boolean {
    return this.requestRatesNow().asked.tryTake(this.ports.clock.nowMs())
  }

  /** Counts an answer; resolves when its turn has come. @throws the signal's reason when the session ends before */
  async awaitAnswerTurn(bytes: number): Promise<void> {
    const waitMs = this.requestRatesNow().answered.take(bytes, this.ports.clock.nowMs())
    if (waitMs > 0) await pause(this.ports.clock, waitMs, this.signal)
    this.signal.throwIfAborted()
  }

  private requestRatesNow() {
    if (this.requests.kind !== this.kind) this.requests = this.requestRates()
    return this.requests
  }

  private requestRates() {
    const nowMs = this.ports.clock.nowMs()
    const { requestsPerSec, answerBytesPerSec } = peerAllowances[this.kind]
    return {
      kind: this.kind,
      asked: new TokenBucket(requestsPerSec, nowMs),
      answered: new TokenBucket(answerBytesPerSec, nowMs),
    }
  }

  /** Ends the session's work; the network closes the connection. */
  end(): void {
    this.gone.abort()
    for (const channel of channels) this.writers[channel].close()
  }

  /** A channel that closes while the connection stays would lose messages in silence. */
  private watch(stream: Stream, channel: Channel): void {
    stream.addEventListener('close', () => this.ports.events.failed(this, { reason: `CLOSED ${channel}` }))
  }
}
