import { InvariantError } from '../../base/primitives/invariant.js'
import type { Clock } from '../time/clock.js'
import type { Libp2pStreamMuxerFactory } from './libp2p-node.js'
import { guardNegotiation } from './negotiation-guard.js'
import { NetworkError } from './network-error.js'
import { muxLimits } from './network-limits.js'
import { TokenBucket } from './token-bucket.js'
import { creditByHalves } from './window-credit.js'

const headerLength = 12
const dataFrame = 0
const lastFrameType = 3
const synFlag = 1

/** A frame's header as the Yamux specification has it. */
interface FrameHeader {
  readonly version: number
  readonly type: number
  readonly flags: number
  readonly length: number
}

/**
 * Follows the Yamux frames of a peer before the multiplexer takes them up, which would wait for a frame of 4 GiB and keep
 * what came of it, and answers every ping however many come. Throws at the first that no honest node sends.
 */
export class MuxFrames {
  private readonly header = new Uint8Array(headerLength)
  private headerFilled = 0
  /** Bytes of the frame under way that are still to come. */
  private payloadLeft = 0
  private early = 0
  private opened = 0
  private readonly control: TokenBucket
  private readonly opens: TokenBucket
  /** Whether the peer has shaken hands: until then it may say little. */
  isSession = false

  constructor(nowMs: number) {
    this.control = new TokenBucket(muxLimits.controlFramesPerSec, nowMs)
    this.opens = new TokenBucket(muxLimits.opensPerSec, nowMs)
  }

  /** @throws NetworkError BAD_MULTIPLEXING */
  read(bytes: Uint8Array, nowMs: number): void {
    if (!this.isSession) this.early += bytes.length
    if (!this.isSession && this.early > muxLimits.bytesBeforeSession)
      throw breach('too many bytes before the handshake')
    let at = 0
    while (at < bytes.length) {
      const skipped = Math.min(this.payloadLeft, bytes.length - at)
      this.payloadLeft -= skipped
      at += skipped
      while (at < bytes.length && this.headerFilled < headerLength) this.header[this.headerFilled++] = bytes[at++]!
      if (this.headerFilled < headerLength) return
      this.headerFilled = 0
      this.judge(readHeader(this.header), nowMs)
    }
  }

  private judge({ version, type, flags, length }: FrameHeader, nowMs: number): void {
    if (version !== 0 || type > lastFrameType) throw breach('no Yamux frame')
    if (type === dataFrame) {
      if (length > muxLimits.frameBytes) throw breach(`a frame of ${length} bytes`)
      this.payloadLeft = length
    }
    const opens = (flags & synFlag) !== 0 && type < 2
    if (opens && !this.isSession && ++this.opened > muxLimits.streamsBeforeSession)
      throw breach('too many streams before the handshake')
    if (opens && !this.opens.tryTake(nowMs)) throw breach('streams opened too fast')
    // An empty frame costs what a ping costs.
    if ((type !== dataFrame || length === 0 || opens) && !this.control.tryTake(nowMs)) throw breach('too many frames')
  }
}

function readHeader(header: Uint8Array): FrameHeader {
  const view = new DataView(header.buffer, header.byteOffset, headerLength)
  return { version: view.getUint8(0), type: view.getUint8(1), flags: view.getUint16(2), length: view.getUint32(8) }
}

function breach(what: string): NetworkError {
  return new NetworkError('BAD_MULTIPLEXING', `the peer breaks the limits of the multiplexer: ${what}`)
}

/** The guard of one connection's multiplexer. */
export interface MuxGuard {
  readonly frames: MuxFrames
  /** When the peer last sent anything. */
  heardAtMs: number
  /** What the peer did wrong, once it did. */
  breach: NetworkError | null
}

interface GuardedMuxer {
  abort(error: Error): void
  onData(data: { subarray(): Uint8Array }): void
  onRemoteStream(stream: object): void
  _newStream(...args: unknown[]): object
}

const guards = new WeakMap<object, MuxGuard>()

/** The guard of a libp2p connection. */
export function muxGuardOf(connection: object): MuxGuard {
  const { muxer } = connection as { muxer?: object }
  const guard = muxer && guards.get(muxer)
  if (!guard) throw new InvariantError('a libp2p connection has a guarded multiplexer')
  return guard
}

/** A multiplexer whose frames, streams and unsent bytes are bounded. */
export function guardMuxer(
  factory: Libp2pStreamMuxerFactory,
  { clock, isProtocol }: { clock: Clock; isProtocol: (name: string) => boolean },
): Libp2pStreamMuxerFactory {
  const createStreamMuxer: Libp2pStreamMuxerFactory['createStreamMuxer'] = connection => {
    // What a peer makes this node say without reading it.
    connection.maxWriteBufferLength = muxLimits.unsentBytes
    const muxer = factory.createStreamMuxer(connection)
    const guarded = muxer as unknown as GuardedMuxer
    for (const name of ['abort', 'onData', 'onRemoteStream', '_newStream'] as const)
      if (typeof guarded[name] !== 'function') throw new InvariantError(`a Yamux multiplexer of libp2p has ${name}`)
    const nowMs = clock.nowMs()
    const guard: MuxGuard = { frames: new MuxFrames(nowMs), heardAtMs: nowMs, breach: null }
    guards.set(muxer, guard)
    const { abort, onData, onRemoteStream, _newStream } = guarded
    guarded.abort = error => {
      try {
        abort.call(guarded, error)
      } catch {
        // Only its last word, a GoAway, could not be written. Thrown on, that would keep libp2p from closing the socket, and
        // end the process when it is the connection monitor that aborts.
      }
    }
    guarded.onData = data => {
      guard.heardAtMs = clock.nowMs()
      try {
        guard.frames.read(data.subarray(), guard.heardAtMs)
      } catch (error) {
        guard.breach ??= error as NetworkError
        throw error
      }
      onData.call(guarded, data)
    }
    guarded._newStream = (...args) => {
      const stream = _newStream.apply(guarded, args)
      creditByHalves(stream)
      // Its peer answers with one name, whatever it is; libp2p gives up the stream if it is not the one asked for.
      if (args[2] === 'outbound') guardStream(stream, guard, () => true)
      return stream
    }
    guarded.onRemoteStream = stream => {
      guardStream(stream, guard, isProtocol)
      onRemoteStream.call(guarded, stream)
    }
    return muxer
  }
  return Object.create(factory, { createStreamMuxer: { value: createStreamMuxer } })
}

function guardStream(stream: object, guard: MuxGuard, isProtocol: (name: string) => boolean): void {
  guardNegotiation(stream, {
    isAgreeable: isProtocol,
    // Thrown into the multiplexer, which gives the connection up.
    onBroken: () => {
      guard.breach ??= breach('a stream begins with garbage')
      throw guard.breach
    },
  })
}
