/** Randomness as services see it; the simulation provides a seeded one. */
export interface RandomSource {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array
  /** A number in [0, 1). */
  float(): number
}
