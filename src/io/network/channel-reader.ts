import type { Clock } from '../time/clock.js'
import { FrameReader } from './frame-reader.js'
import type { Stream } from './libp2p-node.js'
import { channelLimits, limitsOf, type PeerKind, peerAllowances, turnLimits } from './network-limits.js'
import type { Channel } from './peer-network.js'
import { TokenBucket } from './token-bucket.js'
import { limitWindow } from './window-credit.js'

export interface ChannelSource {
  readonly stream: Stream
  readonly channel: Channel
  /** What the peer is to this node, now. */
  readonly kind: () => PeerKind
  readonly clock: Clock
  readonly received: (message: Uint8Array) => void
  /** Told at the end of each turn how many bytes of memory the peer holds by what it sent and is not handed on. */
  readonly held: (bytes: number) => void
  /** The stream or what came on it is bad; nothing more is read. */
  readonly failed: (error: Error) => void
}

/**
 * Reads the messages of one channel from a peer's stream, in order; a peer that sends too fast is read slower, not dropped.
 * What came together is handed on in turns of a few milliseconds, between which the node does other work.
 */
export function readChannel(source: ChannelSource): void {
  new ChannelReader(source).start()
}

type Part = Uint8Array | Iterable<Uint8Array>

class ChannelReader {
  private readonly frames: FrameReader
  private rates: ChannelRates
  /** What came and is not handed on yet. */
  private rest: Iterator<Uint8Array> | null = null
  private restBytes = 0
  /** Cut and paid for, and waiting for its turn. */
  private next: Uint8Array | null = null
  /** A turn is to come; the stream is paused until all is handed on. */
  private isWaiting = false
  /** More bytes came than the rate lets pass by now. */
  private owesBytes = false
  private isOver = false
  private cancel = () => {}

  constructor(private readonly source: ChannelSource) {
    this.frames = new FrameReader(channelLimits[source.channel].messageBytes)
    this.rates = this.ratesOf(source.kind())
  }

  start(): void {
    const { stream } = this.source
    stream.addEventListener('close', () => this.end())
    stream.addEventListener('message', ({ data }) => this.take(data, data.byteLength))
  }

  private take(data: Part, byteLength: number): void {
    if (this.isOver) return
    const { kind, clock } = this.source
    if (this.rates.kind !== kind()) this.rates = this.ratesOf(kind())
    this.owesBytes = this.rates.takeBytes(byteLength, clock.nowMs()) > 0
    try {
      const messages = byteLength <= turnLimits.cutBytes ? this.cutAll(data).values() : this.cut(data)
      this.rest = this.rest ? chained(this.rest, messages) : messages
      this.restBytes += byteLength
    } catch (error) {
      this.fail(error as Error)
      return
    }
    if (this.isWaiting) return
    if (kind() !== 'stranger') this.turn()
    else if (!strangersTurns.tryRun(clock, this.turn)) this.goOn()
  }

  private ratesOf(kind: PeerKind): ChannelRates {
    const { stream, channel, clock } = this.source
    limitWindow(stream, peerAllowances[kind].windowBytes)
    return new ChannelRates(channel, kind, clock.nowMs())
  }

  private cutAll(data: Part): Uint8Array[] {
    if (data instanceof Uint8Array) return this.frames.read(data)
    const messages: Uint8Array[] = []
    for (const part of data) messages.push(...this.frames.read(part))
    return messages
  }

  /** Cuts piece by piece, as the messages are asked for: a large part may hold hundreds of thousands of them. */
  private *cut(data: Part): Generator<Uint8Array> {
    for (const part of data instanceof Uint8Array ? [data] : data)
      for (let at = 0; at < part.length; at += turnLimits.cutBytes)
        yield* this.frames.read(part.subarray(at, at + turnLimits.cutBytes))
  }

  private readonly turn = (): void => {
    this.isWaiting = false
    if (this.isOver) return
    const { clock, received, stream } = this.source
    let nowMs = clock.nowMs()
    const endMs = nowMs + turnLimits.ms
    try {
      for (let count = 0; ; count++) {
        if (!this.next) {
          const { value, done } = this.rest!.next()
          if (done) break
          this.next = value
          if (count > 0) nowMs = clock.nowMs()
          const waitMs = this.rates.takeMessage(nowMs)
          if (waitMs > 0) return this.goOn(waitMs)
          if (count === turnLimits.messages || nowMs >= endMs) return this.goOn()
        }
        const message = this.next!
        this.next = null
        received(message)
        if (stream.status !== 'open') return this.end()
      }
    } catch (error) {
      this.fail(error as Error)
      return
    }
    this.rest = null
    this.restBytes = 0
    this.readOn()
    this.tell()
  }

  private tell(): void {
    const { stream, held } = this.source
    if (!this.isOver) held(this.frames.heldBytes + this.restBytes + (this.next?.length ?? 0) + stream.readBufferLength)
  }

  /** Ends the turn and takes another, when others had theirs or after a time. */
  private goOn(waitMs = 0): void {
    this.isWaiting = true
    this.pause()
    if (waitMs > 0) this.cancel = this.source.clock.schedule(waitMs, () => this.goOn())
    else if (this.source.kind() === 'stranger') strangersTurns.queue(this.source.clock, this.turn)
    else this.source.clock.soon(this.turn)
    this.tell()
  }

  /** All that came is handed on: more is read once its bytes are within the rate. */
  private readOn(): void {
    const { clock } = this.source
    const waitMs = this.owesBytes ? this.rates.takeBytes(0, clock.nowMs()) : 0
    if (waitMs > 0) {
      this.pause()
      this.cancel = clock.schedule(waitMs, () => this.resume())
    } else if (this.isPaused) {
      // In a turn of its own: the stream hands over at once what it kept.
      clock.soon(() => this.resume())
    }
  }

  private get isPaused(): boolean {
    return this.source.stream.readStatus === 'paused'
  }

  /** A stream that its peer has closed can be neither paused nor resumed; nothing more comes on it. */
  private pause(): void {
    const { stream } = this.source
    if (stream.status === 'open' && stream.readStatus === 'readable') stream.pause()
  }

  private resume(): void {
    const { stream } = this.source
    if (!this.isOver && stream.status === 'open' && this.isPaused) stream.resume()
  }

  private fail(error: Error): void {
    this.end()
    this.source.failed(error)
  }

  private end(): void {
    this.isOver = true
    this.rest = null
    this.next = null
    this.cancel()
  }
}

function* chained(first: Iterator<Uint8Array>, second: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield* { [Symbol.iterator]: () => first }
  yield* second
}

/** Turns that together take one turn's time in each go of the event loop, in the order in which they ask. */
class SharedTurns {
  private readonly waiting: (() => void)[] = []
  private usedMs = 0
  private isBegun = false

  /** Runs the turn if there is time for it in this go; says whether it did. */
  tryRun(clock: Clock, turn: () => void): boolean {
    this.begin(clock)
    if (this.waiting.length > 0 || this.usedMs >= turnLimits.ms) return false
    this.run(clock, turn)
    return true
  }

  /** Runs the turn in a later go. */
  queue(clock: Clock, turn: () => void): void {
    this.waiting.push(turn)
    this.begin(clock)
  }

  private run(clock: Clock, turn: () => void): void {
    const fromMs = clock.nowMs()
    turn()
    this.usedMs += Math.max(0, clock.nowMs() - fromMs)
  }

  private begin(clock: Clock): void {
    if (this.isBegun) return
    this.isBegun = true
    clock.soon(() => {
      this.isBegun = false
      this.usedMs = 0
      try {
        // What these turns put off is for the next go.
        let left = this.waiting.length
        while (left-- > 0 && this.usedMs < turnLimits.ms) this.run(clock, this.waiting.shift()!)
      } finally {
        if (this.waiting.length > 0) this.begin(clock)
      }
    })
  }
}

/** The event loop is one for the process, and so is what strangers may have of it. */
const strangersTurns = new SharedTurns()

/** How fast a peer of a kind may send on a channel. */
class ChannelRates {
  private readonly bytes: TokenBucket
  private readonly messages: TokenBucket
  constructor(
    channel: Channel,
    readonly kind: PeerKind,
    nowMs: number,
  ) {
    const { bytesPerSec, messagesPerSec } = limitsOf(channel, kind)
    this.bytes = new TokenBucket(bytesPerSec, nowMs)
    this.messages = new TokenBucket(messagesPerSec, nowMs)
  }

  /** Counts bytes that came; returns how long to wait (ms) before more is read. */
  takeBytes(bytes: number, nowMs: number): number {
    return this.bytes.take(bytes, nowMs)
  }

  /** Counts a message; returns how long to wait (ms) before it is handed on. */
  takeMessage(nowMs: number): number {
    return this.messages.take(1, nowMs)
  }
}
