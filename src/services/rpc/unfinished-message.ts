import { bufferBytes } from '../../base/primitives/held-bytes.js'

/** What a control frame of a client weighs beside its data: two bytes and the mask. */
const controlFrameBytes = 6

/** What has come of a WebSocket message that is not all here, reckoned from what a socket and `ws` tell of it. */
export class UnfinishedMessage {
  private bytes = 0
  private chunks = 0
  private wasAsked = false

  /** Bytes that it occupies; what came with the end of another message or in one chunk only is too little to count. */
  get heldBytes(): number {
    return this.chunks > 1 ? this.bytes + this.chunks * bufferBytes : 0
  }

  /** The socket has a chunk that `ws` has not read yet. */
  onChunk(chunk: Uint8Array): void {
    this.bytes += chunk.length
    this.chunks++
  }

  /** A ping or pong came, of which `ws` keeps nothing. */
  onControlFrame(data: Uint8Array): void {
    this.bytes -= controlFrameBytes + data.length
    if (this.bytes <= 0) this.chunks = 0
  }

  /** A message is all here. */
  onMessage(): void {
    this.bytes = 0
    this.chunks = 0
    this.wasAsked = false
  }

  /** Whether the same message was unfinished when this was last asked. */
  isOverdue(): boolean {
    const isOverdue = this.wasAsked
    this.wasAsked = this.bytes > 0
    return isOverdue
  }
}
