import { createHash } from 'node:crypto'
import type { RandomSource } from './random-source.js'

/** Randomness that a seed determines: SHA-256 of the seed and a counter. For simulations, never for keys. */
export class SeededRandom implements RandomSource {
  private block: Uint8Array = new Uint8Array(0)
  private used = 0
  private counter = 0
  constructor(private readonly seed: string) {}

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; ) {
      if (this.used === this.block.length) this.refill()
      const part = this.block.subarray(this.used, this.used + length - at)
      out.set(part, at)
      this.used += part.length
      at += part.length
    }
    return out
  }

  float(): number {
    return Buffer.from(this.bytes(6)).readUIntBE(0, 6) / 2 ** 48
  }

  private refill(): void {
    this.block = createHash('sha256')
      .update(`${this.seed}:${this.counter++}`)
      .digest()
    this.used = 0
  }
}
