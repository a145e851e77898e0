import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesEqual,
  bytesToHex,
  bytesToUint,
  compareBytes,
  concatBytes,
  HexError,
  hexToBytes,
  uintToBytes,
} from './bytes.js'

const bytes = fc.uint8Array({ maxLength: 80 })

describe('hex', () => {
  it('agrees with Node, both ways, in either case', () => {
    fc.assert(
      fc.property(bytes, value => {
        const hex = bytesToHex(value)
        expect(hex).toBe(`0x${Buffer.from(value).toString('hex')}`)
        expect(hexToBytes(hex)).toEqual(value)
        expect(hexToBytes(`0X${hex.slice(2).toUpperCase()}`)).toEqual(value)
      }),
    )
  })

  it('agrees with Node on long bytes', () => {
    for (const length of [1_023, 1_024, 1_025, 2_048, 5_000, 131_072]) {
      const value = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255)
      expect(bytesToHex(value)).toBe(`0x${Buffer.from(value).toString('hex')}`)
    }
  })

  it.each(['', '0', 'x', 'ab', '0x0', '0xg0', '0x0g', '0x 1', '0x-1', '0x0é', '0x0０', '0x++', '1x00'])(
    'refuses %j',
    text => {
      expect(() => hexToBytes(text)).toThrow(HexError)
    },
  )

  it('throws nothing but HexError for any text', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        for (const hex of [text, `0x${text}`])
          try {
            expect(bytesToHex(hexToBytes(hex)).slice(2)).toBe(hex.slice(2).toLowerCase())
          } catch (error) {
            expect(error).toBeInstanceOf(HexError)
          }
      }),
    )
  })
})

describe('integers', () => {
  it('are big-endian and padded', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), value => {
        expect(bytesToUint(uintToBytes(value, 32))).toBe(value)
        expect(uintToBytes(value, 32)).toHaveLength(32)
      }),
    )
    expect(uintToBytes(258, 4)).toEqual(Uint8Array.of(0, 0, 1, 2))
    expect(bytesToUint(new Uint8Array(0))).toBe(0n)
  })

  it('refuse what does not fit', () => {
    expect(() => uintToBytes(256, 1)).toThrow(RangeError)
    expect(() => uintToBytes(-1, 32)).toThrow(RangeError)
  })
})

describe('bytes', () => {
  it('concatenate, compare and order as Node does', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(concatBytes(a, b)).toEqual(new Uint8Array(Buffer.concat([a, b])))
        expect(bytesEqual(a, b)).toBe(Buffer.compare(a, b) === 0)
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
      }),
    )
  })
})
