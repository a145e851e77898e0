import { createKeccak, type IHasher } from 'hash-wasm'

/** The ordered events of a run as one digest: runs with the same digest did the same, to the byte. */
export class Trace {
  events = 0
  private readonly text = new TextEncoder()
  private constructor(private readonly hasher: IHasher) {}

  static async begin(): Promise<Trace> {
    const hasher = await createKeccak(256)
    return new Trace(hasher.init())
  }

  add(line: string, content?: Uint8Array): void {
    this.events++
    this.hasher.update(this.text.encode(`${line}\n`))
    if (content) this.hasher.update(content)
  }

  /** Ends the trace. Keccak-256 as hex. */
  digest(): string {
    return this.hasher.digest('hex')
  }
}
