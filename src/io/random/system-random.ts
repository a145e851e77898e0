import { randomBytes } from 'node:crypto'
import type { RandomSource } from './random-source.js'

/** The machine's cryptographic randomness. */
export const systemRandom: RandomSource = {
  bytes: length => Uint8Array.from(randomBytes(length)),
  float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
}
