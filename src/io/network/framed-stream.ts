import { FrameReader, frameHead, pieceLength } from './frame-reader.js'
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

  /** Writes one frame piece by piece as the peer reads, so that other streams of the connection go on. */
  async write(content: Uint8Array, signal: AbortSignal): Promise<void> {
    let goesOn = this.stream.send(frameHead(content.length))
    for (let at = 0; at < content.length; at += pieceLength) {
      if (!goesOn) await this.stream.onDrain({ signal })
      goesOn = this.stream.send(content.subarray(at, at + pieceLength))
    }
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.waiting?.()
  }
}
