import type { Clock } from '../time/clock.js'
import { FrameReader } from './frame-reader.js'
import type { Stream } from './libp2p-node.js'
import { channelLimits, limitsOf, type PeerKind } from './network-limits.js'
import type { Channel } from './peer-network.js'
import { TokenBucket } from './token-bucket.js'

/** Reads the messages of one channel from a peer's stream; a peer that sends too fast is read slower, not dropped. */
export function readChannel({
  stream,
  channel,
  kind,
  clock,
  received,
  held,
  failed,
}: {
  stream: Stream
  channel: Channel
  /** What the peer is to this node, now. */
  kind: () => PeerKind
  clock: Clock
  received: (message: Uint8Array) => void
  /** Told after each part that came how many bytes the frame under way holds in memory. */
  held: (bytes: number) => void
  /** The stream or what came on it is bad; nothing more is read. */
  failed: (error: Error) => void
}): void {
  const reader = new FrameReader(channelLimits[channel].messageBytes)
  let rates = new ChannelRates(channel, kind(), clock.nowMs())
  let cancel = () => {}
  stream.addEventListener('close', () => cancel())
  stream.addEventListener('message', ({ data }) => {
    let count = 0
    try {
      for (const part of data instanceof Uint8Array ? [data] : data)
        for (const message of reader.read(part)) {
          count++
          received(message)
        }
    } catch (error) {
      failed(error as Error)
      return
    }
    held(reader.heldBytes)
    const nowMs = clock.nowMs()
    if (rates.kind !== kind()) rates = new ChannelRates(channel, kind(), nowMs)
    const waitMs = rates.take({ bytes: data.byteLength, messages: count, nowMs })
    if (waitMs === 0 || stream.status !== 'open') return
    stream.pause()
    cancel = clock.schedule(waitMs, () => {
      if (stream.status === 'open') stream.resume()
    })
  })
}

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

  /** Counts what came; returns how long to wait (ms) before more is read. */
  take({ bytes, messages, nowMs }: { bytes: number; messages: number; nowMs: number }): number {
    return Math.max(this.bytes.take(bytes, nowMs), this.messages.take(messages, nowMs))
  }
}
