import { createKeccak, type IHasher } from 'hash-wasm'

/** Bytes that are gathered before they are hashed: a call of the hasher costs more than a short line. */
const chunkBytes = 64 * 1024

/** The ordered events of a run as one digest: runs with the same digest did the same, to the byte. */
export class Trace {
  events = 0
  private readonly chunk = Buffer.allocUnsafe(chunkBytes)
  private filled = 0
  private constructor(private readonly hasher: IHasher) {}

  static async begin(): Promise<Trace> {
    const hasher = await createKeccak(256)
    return new Trace(hasher.init())
  }

  /** The line is of ASCII characters. */
  add(line: string, content?: Uint8Array): void {
    this.events++
    this.makeRoom(line.length + 1)
    this.filled += this.chunk.write(line, this.filled, 'latin1')
    this.chunk[this.filled++] = 0x0a
    if (!content) return
    this.makeRoom(content.length)
    if (content.length > chunkBytes) this.hasher.update(content)
    else {
      this.chunk.set(content, this.filled)
      this.filled += content.length
    }
  }

  /** Ends the trace. Keccak-256 as hex. */
  digest(): string {
    this.flush()
    return this.hasher.digest('hex')
  }

  private makeRoom(bytes: number): void {
    if (this.filled + bytes > chunkBytes) this.flush()
  }

  private flush(): void {
    this.hasher.update(this.chunk.subarray(0, this.filled))
    this.filled = 0
  }
}
