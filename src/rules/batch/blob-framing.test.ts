import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesEqual, bytesToUint } from '../../base/primitives/bytes.js'
import { blobCapacity, blobLength, blobsToBytes, bytesToBlobs, framedCapacity } from './blob-framing.js'

const modulus = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n
// Bytes of any length from few random ones: fast-check is slow with arrays of this size.
const bytes = fc
  .tuple(fc.nat(3 * blobCapacity), fc.uint8Array({ minLength: 1, maxLength: 50 }))
  .map(([length, seed]) => Uint8Array.from({ length }, (_, i) => seed[(i * 31 + (i >> 5)) % seed.length]!))

describe('blob framing', () => {
  it('reads what it wrote, in the fewest blobs', () => {
    fc.assert(
      fc.property(bytes, data => {
        const blobs = bytesToBlobs(data)
        expect(blobs.length).toBe(Math.ceil((data.length + 4) / blobCapacity))
        expect(bytesEqual(blobsToBytes(blobs), data)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('fills so many blobs exactly', () => {
    for (const count of [1, 6]) {
      const full = new Uint8Array(framedCapacity(count)).fill(0xff)
      const blobs = bytesToBlobs(full)
      expect(blobs.length).toBe(count)
      expect(bytesEqual(blobsToBytes(blobs), full)).toBe(true)
      expect(bytesToBlobs(new Uint8Array(full.length + 1)).length).toBe(count + 1)
    }
  })

  it('keeps every field element below the modulus', () => {
    const [blob] = bytesToBlobs(new Uint8Array(framedCapacity(1)).fill(0xff))
    for (let at = 0; at < blobLength; at += 32) expect(bytesToUint(blob!.subarray(at, at + 32)) < modulus).toBe(true)
  })

  it('accepts a changed blob only when it is what the writer gives for what it says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(399), fc.nat(255), (data, at, value) => {
        const [blob] = bytesToBlobs(data)
        blob![at] = value
        let read: Uint8Array
        try {
          read = blobsToBytes([blob!])
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
          return
        }
        expect(bytesEqual(bytesToBlobs(read)[0]!, blob!)).toBe(true)
      }),
    )
  })

  it('refuses padding that is not zero, too many blobs, none, and blobs of another length', () => {
    const [blob] = bytesToBlobs(Uint8Array.of(1, 2, 3))
    const dirty = blob!.slice()
    dirty[blobLength - 1] = 1
    expect(() => blobsToBytes([dirty])).toThrow(DecodeError)
    expect(() => blobsToBytes([blob!, new Uint8Array(blobLength)])).toThrow(DecodeError)
    expect(() => blobsToBytes([])).toThrow(DecodeError)
    expect(() => blobsToBytes([blob!.subarray(1)])).toThrow(DecodeError)
    expect(() => blobsToBytes([new Uint8Array(blobLength).fill(0xff)])).toThrow(DecodeError)
  })
})
