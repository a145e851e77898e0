import type { Clock } from '../time/clock.js'
import { FrameReader } from './frame-reader.js'
import type { Stream } from './libp2p-node.js'
import type { ChannelLimits } from './network-limits.js'
import { TokenBucket } from './token-bucket.js'

/** Reads the messages of one channel from a peer's stream; a peer that sends too fast is read slower, not dropped. */
export function readChannel({
  stream,
  limits,
  clock,
  received,
  failed,
}: {
  stream: Stream
  limits: ChannelLimits
  clock: Clock
  received: (message: Uint8Array) => void
  /** The stream or what came on it is bad; nothing more is read. */
  failed: (error: Error) => void
}): void {
  const reader = new FrameReader(limits.messageBytes)
  const bytes = new TokenBucket(limits.bytesPerSec, clock.nowMs())
  const messages = new TokenBucket(limits.messagesPerSec, clock.nowMs())
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
    const nowMs = clock.nowMs()
    const waitMs = Math.max(bytes.take(data.byteLength, nowMs), messages.take(count, nowMs))
    if (waitMs === 0 || stream.status !== 'open') return
    stream.pause()
    cancel = clock.schedule(waitMs, () => {
      if (stream.status === 'open') stream.resume()
    })
  })
}
