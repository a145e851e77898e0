import { frameHead, frameHeadLength, pieceLength } from './frame-reader.js'
import type { Stream } from './libp2p-node.js'
import type { ChannelLimits } from './network-limits.js'

/** The bounded queue of one channel to one peer, and the stream that drains it. */
export class ChannelWriter {
  private queue: Uint8Array[] = []
  private queuedBytes = 0
  /** What is left of a large message that is being written. */
  private rest: Uint8Array = new Uint8Array(0)
  private stream: Stream | null = null
  private scheduled = false
  private closed = false

  constructor(
    private readonly limits: ChannelLimits,
    private readonly events: {
      dropped: (messages: number) => void
      overflowed: () => void
      failed: (error: Error) => void
    },
  ) {}

  /** Queues the message, whose bytes must not change; what is queued in one tick is written at its end. */
  send(message: Uint8Array): void {
    if (this.closed) return
    this.queue.push(message)
    this.queuedBytes += message.length
    if (this.isOverfull()) this.overflow()
    this.schedule()
  }

  /** Begins to write to the stream. */
  attach(stream: Stream): void {
    this.stream = stream
    stream.addEventListener('drain', () => this.schedule())
    this.schedule()
  }

  close(): void {
    this.closed = true
    this.queue = []
    this.queuedBytes = 0
    this.rest = new Uint8Array(0)
  }

  private isOverfull(): boolean {
    return this.queuedBytes > this.limits.queueBytes || this.queue.length > this.limits.queueMessages
  }

  private overflow(): void {
    if (this.limits.overflow === 'disconnect') {
      this.events.overflowed()
      return
    }
    let dropped = 0
    while (this.isOverfull()) {
      this.queuedBytes -= this.queue.shift()!.length
      dropped++
    }
    this.events.dropped(dropped)
  }

  /** A microtask is late enough to gather what one tick sends and adds no latency. */
  private schedule(): void {
    if (this.scheduled || !this.stream) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      try {
        this.flush()
      } catch (error) {
        this.events.failed(error as Error)
      }
    })
  }

  private flush(): void {
    const stream = this.stream!
    while (!stream.writableNeedsDrain) {
      const piece = this.nextPiece()
      if (!piece) return
      stream.send(piece)
    }
  }

  private nextPiece(): Uint8Array | null {
    if (this.rest.length === 0) {
      if (this.queue.length === 0) return null
      const batch = this.takeBatch()
      if (batch.length > 1 || batch[0]!.length <= pieceLength) return joinFrames(batch)
      this.rest = batch[0]!
      return frameHead(this.rest.length)
    }
    const piece = this.rest.subarray(0, pieceLength)
    this.rest = this.rest.subarray(pieceLength)
    return piece
  }

  private takeBatch(): Uint8Array[] {
    let length = 0
    let count = 0
    while (count < this.queue.length) {
      length += this.queue[count]!.length
      if (count > 0 && length > pieceLength) break
      count++
    }
    const batch = this.queue.splice(0, count)
    for (const message of batch) this.queuedBytes -= message.length
    return batch
  }
}

function joinFrames(messages: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(messages.reduce((sum, message) => sum + frameHeadLength + message.length, 0))
  let at = 0
  for (const message of messages) {
    joined.set(frameHead(message.length), at)
    joined.set(message, at + frameHeadLength)
    at += frameHeadLength + message.length
  }
  return joined
}
