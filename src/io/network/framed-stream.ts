import { FrameReader, frameHead } from './frame-reader.js'
import type { Stream } from './libp2p-node.js'
import { NetworkError } from './network-error.js'

/** Frames ahead of the reader: a conversation has a frame or two under way. */
const maxAhead = 4

/** A short conversation of frames on a stream: handshakes, requests. */
export class FramedStream {
  private readonly frames: Uint8Array[] = []
  private failure: Error | null = null
  private waiting: (() => void) | null = null

  constructor(
    readonly stream: Stream,
    maxFrameLength: number,
  ) {
    const reader = new FrameReader(maxFrameLength)
    stream.addEventListener('message', ({ data }) => {
      try {
        for (const part of data instanceof Uint8Array ? [data] : data) this.frames.push(...reader.read(part))
        if (this.frames.length > maxAhead) throw new NetworkError('STREAM_CLOSED', 'more frames than the protocol has')
      } catch (error) {
        this.fail(error as Error)
        stream.abort(error as Error)
      }
      this.waiting?.()
    })
    for (const event of ['close', 'end'] as const)
      stream.addEventListener(event, () => this.fail(new NetworkError('STREAM_CLOSED', 'the peer closed the stream')))
  }

  /** The next frame. @throws NetworkError STREAM_CLOSED, MESSAGE_TOO_LARGE, or the signal's reason */
  async read(signal: AbortSignal): Promise<Uint8Array> {
    for (;;) {
      const frame = this.frames.shift()
      if (frame) return frame
      if (this.failure) throw this.failure
      signal.throwIfAborted()
      await new Promise<void>(resolve => {
        const wake = () => {
          this.waiting = null
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.waiting = wake
        signal.addEventListener('abort', wake)
      })
    }
  }

  write(...parts: Uint8Array[]): void {
    this.stream.send(frameHead(parts.reduce((sum, part) => sum + part.length, 0)))
    for (const part of parts) if (part.length > 0) this.stream.send(part)
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.waiting?.()
  }
}
