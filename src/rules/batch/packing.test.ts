import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesEqual, concatBytes } from '../../base/primitives/bytes.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import type { Codec } from './codec.js'
import { PackedPayload, packingOverhead, unpackPayload } from './packing.js'
import { maxPayloadBytes } from './payload.js'

/** Leaves out zeros: a marker, then per run the number of zeros and the byte after it. Grows what has no zeros. */
const zeroRuns: Codec = {
  id: 9,
  compress(bytes) {
    const out: number[] = []
    for (let at = 0; at < bytes.length; at++) {
      let zeros = 0
      while (zeros < 255 && bytes[at] === 0 && at < bytes.length - 1) {
        zeros++
        at++
      }
      out.push(zeros, bytes[at]!)
    }
    return Uint8Array.from(out)
  },
  decompress(bytes, maxLength) {
    const out: number[] = []
    for (let at = 0; at < bytes.length; at += 2) {
      for (let zeros = bytes[at]!; zeros > 0; zeros--) out.push(0)
      out.push(bytes[at + 1]!)
    }
    if (out.length > maxLength) throw new DecodeError('zero runs: too long')
    return Uint8Array.from(out)
  },
}

/** Adds runs as the batcher does; gives how many found room, and the packed bytes. */
function pack(runs: readonly Uint8Array[], capacity: number) {
  const payload = new PackedPayload(capacity)
  let added = 0
  for (const run of runs) {
    if (payload.room(run.length) === 'repack-first') payload.repacked(zeroRuns.compress(payload.raw()))
    if (payload.room(run.length) !== 'fits') break
    payload.add(run)
    added++
  }
  if (payload.isStale) payload.repacked(zeroRuns.compress(payload.raw()))
  return { added, packed: payload.packed(zeroRuns.id) }
}

const run = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 80 }),
  fc.nat(80).map(length => new Uint8Array(length + 1)),
)

describe('packed payload', () => {
  it('never passes the capacity and unpacks to what was added', () => {
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), fc.integer({ min: 100, max: 1_500 }), (runs, capacity) => {
        const { added, packed } = pack(runs, capacity)
        expect(packed.length).toBeLessThanOrEqual(capacity)
        expect(bytesEqual(unpackPayload(packed, zeroRuns), concatBytes(...runs.slice(0, added)))).toBe(true)
      }),
    )
  })

  it('comes out the same when it is built again without the block that it had no room for', () => {
    fc.assert(
      fc.property(
        fc.array(run, { minLength: 10, maxLength: 60 }),
        fc.integer({ min: 100, max: 800 }),
        (runs, capacity) => {
          const { added, packed } = pack(runs, capacity)
          expect(pack(runs.slice(0, added), capacity)).toEqual({ added, packed })
        },
      ),
    )
  })

  it('keeps bytes as they are when compression does not help', () => {
    const runs = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)]
    expect(pack(runs, 1_000).packed).toEqual(Uint8Array.of(9, 0, 0, 0, 0, 1, 2, 3, 4))
  })

  it('compresses to make room, and says when there is none', () => {
    const payload = new PackedPayload(200)
    payload.add(new Uint8Array(190))
    expect(payload.room(50)).toBe('repack-first')
    payload.repacked(zeroRuns.compress(payload.raw()))
    expect(payload.room(50)).toBe('fits')
    expect(payload.room(195)).toBe('full')
    expect(() => payload.add(new Uint8Array(195))).toThrow(InvariantError)
  })

  it('takes no more than a reader reads, however well it compresses', () => {
    const payload = new PackedPayload(1_000_000)
    for (let i = 0; i < 8; i++) {
      if (payload.room(maxPayloadBytes / 8) === 'repack-first') payload.repacked(new Uint8Array(10))
      payload.add(new Uint8Array(maxPayloadBytes / 8))
    }
    expect(payload.room(1)).toBe('full')
  })

  it('refuses what is cut off, of another codec, or longer than allowed', () => {
    const { packed } = pack([new Uint8Array(50)], 1_000)
    expect(() => unpackPayload(packed.subarray(0, packingOverhead - 1), zeroRuns)).toThrow(DecodeError)
    expect(() => unpackPayload(packed.subarray(0, packed.length - 1), zeroRuns)).toThrow(DecodeError)
    expect(() => unpackPayload(packed, { ...zeroRuns, id: 8 })).toThrow(DecodeError)
    const long = concatBytes(Uint8Array.of(9, 0, 0, 0, 0), new Uint8Array(maxPayloadBytes + 1))
    expect(() => unpackPayload(long, zeroRuns)).toThrow(DecodeError)
    const bomb = concatBytes(packed, new Uint8Array(maxPayloadBytes - 49))
    expect(() => unpackPayload(bomb, zeroRuns)).toThrow(DecodeError)
  })
})
