import { describe, expect, it } from 'vitest'
import { readLengthsQuietly } from './noise-lengths.js'

/** A connection whose decoder reads lengths as js-libp2p's does. */
function connection() {
  const lengthDecoder = (data: { readonly length: number; subarray(): Uint8Array }) => {
    if (data.length < 2) throw new RangeError('too short')
    const [high, low] = data.subarray()
    return high! * 256 + low!
  }
  return { decoder: { lengthDecoder } }
}

describe('readLengthsQuietly', () => {
  it('reads the lengths that are there', () => {
    const { decoder } = connection()
    readLengthsQuietly({ decoder })
    expect(decoder.lengthDecoder(Uint8Array.of(1, 2, 9))).toBe(258)
  })

  it('says that more is needed by a length that is not there, without an error', () => {
    const { decoder } = connection()
    readLengthsQuietly({ decoder })
    for (const there of [new Uint8Array(0), Uint8Array.of(1)])
      expect(decoder.lengthDecoder(there)).toBeGreaterThan(there.length)
  })

  it('refuses what is no Noise connection', () => {
    expect(() => readLengthsQuietly({})).toThrow('a Noise connection of libp2p has a length decoder')
  })
})
