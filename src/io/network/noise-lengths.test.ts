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

function thrownBy(task: () => unknown): unknown {
  try {
    return void task()
  } catch (error) {
    return error
  }
}

describe('readLengthsQuietly', () => {
  it('reads the lengths that are there', () => {
    const { decoder } = connection()
    readLengthsQuietly({ decoder })
    expect(decoder.lengthDecoder(Uint8Array.of(1, 2, 9))).toBe(258)
  })

  it('says that more is needed by one and the same RangeError', () => {
    const { decoder } = connection()
    readLengthsQuietly({ decoder })
    const first = thrownBy(() => decoder.lengthDecoder(new Uint8Array(0)))
    expect(first).toBeInstanceOf(RangeError)
    expect(thrownBy(() => decoder.lengthDecoder(Uint8Array.of(1)))).toBe(first)
  })

  it('refuses what is no Noise connection', () => {
    expect(() => readLengthsQuietly({})).toThrow('a Noise connection of libp2p has a length decoder')
  })
})
