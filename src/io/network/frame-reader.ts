import { NetworkError } from './network-error.js'

/** Length of a frame's head: u32, big-endian. */
export const frameHeadLength = 4
/**
 * Small frames that wait together are written together, and large ones in pieces of this many bytes, so that no stream
 * puts more than a piece ahead of another into the connection. With its headers a piece fits one Noise message.
 */
export const pieceLength = 60 << 10
const firstCapacity = 64 << 10

/** The head of a frame of this many bytes. */
export function frameHead(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255)
}

/** Cuts a stream of bytes into length-prefixed frames. Holds at most twice what was received of one frame. */
export class FrameReader {
  private readonly head = new Uint8Array(frameHeadLength)
  private headLength = 0
  private body: Uint8Array | null = null
  private bodyLength = 0
  private frameLength = 0
  constructor(private readonly maxLength: number) {}

  /** Bytes of memory that a frame holds which has begun and not ended. */
  get heldBytes(): number {
    return this.body?.length ?? 0
  }

  /** The frames that these bytes complete; each owns its memory. @throws NetworkError MESSAGE_TOO_LARGE */
  read(bytes: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    let at = 0
    while (at < bytes.length) {
      if (!this.body) {
        at = this.readHead(bytes, at)
        if (!this.body) break
      }
      const part = bytes.subarray(at, at + this.frameLength - this.bodyLength)
      this.add(part)
      at += part.length
      this.finish(frames)
    }
    return frames
  }

  private readHead(bytes: Uint8Array, from: number): number {
    let at = from
    while (this.headLength < frameHeadLength && at < bytes.length) this.head[this.headLength++] = bytes[at++]!
    if (this.headLength < frameHeadLength) return at
    const [a, b, c, d] = this.head as unknown as [number, number, number, number]
    this.frameLength = a * 2 ** 24 + ((b << 16) | (c << 8) | d)
    if (this.frameLength > this.maxLength)
      throw new NetworkError('MESSAGE_TOO_LARGE', `a frame of ${this.frameLength} bytes is above ${this.maxLength}`)
    this.body = new Uint8Array(Math.min(this.frameLength, firstCapacity))
    this.bodyLength = 0
    return at
  }

  private add(part: Uint8Array): void {
    const needed = this.bodyLength + part.length
    if (needed > this.body!.length) {
      const grown = new Uint8Array(Math.min(this.frameLength, Math.max(needed, this.body!.length * 2)))
      grown.set(this.body!.subarray(0, this.bodyLength))
      this.body = grown
    }
    this.body!.set(part, this.bodyLength)
    this.bodyLength = needed
  }

  private finish(frames: Uint8Array[]): void {
    if (!this.body || this.bodyLength < this.frameLength) return
    frames.push(this.body)
    this.body = null
    this.headLength = 0
  }
}
