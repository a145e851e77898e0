import { NobleBLS } from '@ethereumjs/evm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, bytesToUint, concatBytes, uintToBytes } from '../../../../base/primitives/bytes.js'
import { EvmBls } from './evm-bls.js'

const library = new NobleBLS()
const ours = new EvmBls()
const field = 0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn
const word = (value: bigint) => uintToBytes(value, 64)
const words = (...values: bigint[]) => concatBytes(...values.map(word))

// The last of each is on the curve but not in the subgroup; with it, so are its sums with the others.
const pointsG1 = [library.mapFPtoG1(word(5n)), library.mapFPtoG1(word(6n)), words(0n, 2n)]
const pointsG2 = [
  library.mapFP2toG2(words(5n, 7n)),
  library.mapFP2toG2(words(6n, 0n)),
  words(
    2n,
    0n,
    0x13a59858b6809fca4d9a3b6539246a70051a3c88899964a42bc9a69cf9acdd9dd387cfa9086b894185b9a46a402be73n,
    0x2d27e0ec3356299a346a09ad7dc4ef68a483c3aed53f9139d2f929a3eecebf72082e5e58c6da24ee32e03040c406d4fn,
  ),
]

function negated(point: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(point)
  for (let at = point.length / 2; at < point.length; at += 64) {
    const value = bytesToUint(point.subarray(at, at + 64))
    copy.set(word((field - value) % field), at)
  }
  return copy
}

function operandsOf(points: readonly Uint8Array[], add: (input: Uint8Array) => Uint8Array) {
  const infinity = new Uint8Array(points[0]!.length)
  const sums = points.flatMap(a => points.map(b => add(concatBytes(a, b))))
  const good = [infinity, ...points, ...points.map(negated), ...sums]
  // What blst's coding takes for flags, and what is not below the modulus.
  const topByte = fc.constantFrom(0x1a, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0, 0xe0, 0xff)
  const change = fc.tuple(
    fc.nat(infinity.length / 64 - 1),
    fc.oneof(fc.constant(0), fc.nat(47)),
    fc.oneof(topByte, fc.nat(255)),
  )
  const spoilt = fc.tuple(fc.constantFrom(...good), change).map(([point, [at, offset, byte]]) => {
    const copy = Uint8Array.from(point)
    copy[at * 64 + 16 + offset] = byte
    return copy
  })
  const raised = fc.tuple(fc.constantFrom(...good), fc.nat(infinity.length / 64 - 1)).map(([point, at]) => {
    const copy = Uint8Array.from(point)
    copy.set(word(bytesToUint(point.subarray(at * 64, at * 64 + 64)) + field), at * 64)
    return copy
  })
  return { infinity, operand: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...good) }, spoilt, raised) }
}

function outcome(operation: () => Uint8Array): string {
  try {
    return bytesToHex(operation())
  } catch {
    return 'refused'
  }
}

describe.each([
  ['addG1', pointsG1],
  ['addG2', pointsG2],
] as const)('%s', (name, points) => {
  const { infinity, operand } = operandsOf(points, input => library[name](input))

  it("gives and refuses what the EVM library's does", () => {
    const seen = { sums: 0, refused: 0 }
    fc.assert(
      fc.property(operand, operand, (a, b) => {
        const input = concatBytes(a, b)
        const expected = outcome(() => library[name](input))
        expect(outcome(() => ours[name](input))).toBe(expected)
        seen[expected === 'refused' ? 'refused' : 'sums']++
      }),
      { numRuns: 150 },
    )
    expect(Math.min(seen.sums, seen.refused)).toBeGreaterThan(10)
  })

  it('knows infinity, doubles, and points outside the subgroup', () => {
    const [inside, , outside] = points
    const sum = ours[name](concatBytes(inside!, outside!))
    expect(ours[name](concatBytes(sum, negated(inside!)))).toEqual(outside)
    for (const point of [...points, ...points.map(negated)]) {
      expect(ours[name](concatBytes(infinity, point))).toEqual(point)
      expect(ours[name](concatBytes(point, infinity))).toEqual(point)
      expect(ours[name](concatBytes(point, negated(point)))).toEqual(infinity)
      expect(ours[name](concatBytes(point, point))).toEqual(library[name](concatBytes(point, point)))
    }
    expect(ours[name](concatBytes(infinity, infinity))).toEqual(infinity)
  })

  it("refuses what only blst's coding knows", () => {
    for (const flags of [0x20, 0x40, 0x80, 0xc0]) {
      const flagged = Uint8Array.from(infinity)
      flagged[16] = flags
      expect(outcome(() => ours[name](concatBytes(flagged, infinity)))).toBe('refused')
    }
  })
})
