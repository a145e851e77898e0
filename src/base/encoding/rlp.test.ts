import fc from 'fast-check'
import { fromRlp, toRlp } from 'viem'
import { describe, expect, it } from 'vitest'
import { bytesToHex, hexToBytes } from '../primitives/bytes.js'
import { DecodeError } from './decode-error.js'
import { decodeRlp, encodeRlp, type RlpItem, splitRlpList } from './rlp.js'
import { RlpFields, rlpUint } from './rlp-fields.js'

const { item } = fc.letrec<{ item: RlpItem }>(tie => ({
  item: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.uint8Array({ maxLength: 70 }),
    fc.array(tie('item'), { maxLength: 6 }),
  ),
}))

describe('RLP', () => {
  it('decodes what it encodes, and encodes as viem does', () => {
    fc.assert(
      fc.property(item, value => {
        const encoded = encodeRlp(value)
        expect(decodeRlp(encoded)).toEqual(value)
        expect(bytesToHex(encoded)).toBe(toRlp(value as Parameters<typeof toRlp>[0]))
        expect(encodeRlp(fromRlp(encoded, 'bytes') as RlpItem)).toEqual(encoded)
      }),
      { numRuns: 500 },
    )
  })

  it('splits a list into the encodings of its items, and nothing else', () => {
    fc.assert(
      fc.property(item, value => {
        const encoded = encodeRlp(value)
        if (value instanceof Uint8Array) expect(() => splitRlpList(encoded)).toThrow(DecodeError)
        else expect(splitRlpList(encoded)).toEqual(value.map(encodeRlp))
      }),
    )
    for (const hex of ['0x', '0xc2c0', '0xc183aabbcc', '0xc000', '0xf801c0'])
      expect(() => splitRlpList(hexToBytes(hex as `0x${string}`))).toThrow(DecodeError)
  })

  it('writes lengths of one to three bytes', () => {
    for (const length of [0, 1, 55, 56, 255, 256, 65_535, 65_536, 70_000]) {
      const value = new Uint8Array(length).fill(0xab)
      const encoded = encodeRlp([value, value])
      expect(bytesToHex(encoded)).toBe(toRlp([value, value]))
      expect(bytesToHex(encodeRlp(decodeRlp(encoded)))).toBe(bytesToHex(encoded))
    }
  })

  it('accepts only what it would write itself, and throws only DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
        try {
          expect(encodeRlp(decodeRlp(bytes))).toEqual(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['nothing', '0x'],
    ['a single byte with a prefix', '0x8101'],
    ['a short string with a long length', '0xb801ff'],
    ['a length with a leading zero', `0xb90038${'11'.repeat(56)}`],
    ['a list of short length in long form', '0xf801c0'],
    ['a string that ends early', '0x83aabb'],
    ['a list that ends early', '0xc2c0'],
    ['an item past the end of its list', '0xc183aabbcc'],
    ['bytes after the end', '0xc000'],
    ['a length of seven bytes', '0xbeffffffffffffff'],
    ['a length of eight bytes', '0xffffffffffffffffff'],
    ['a length without its bytes', '0xb9'],
  ])('refuses %s', (_, hex) => {
    expect(() => decodeRlp(hexToBytes(hex))).toThrow(DecodeError)
  })

  it('refuses deep nesting without running out of stack', () => {
    const nested = (depth: number): RlpItem => (depth === 0 ? [] : [nested(depth - 1)])
    expect(decodeRlp(encodeRlp(nested(15)))).toEqual(nested(15))
    expect(() => decodeRlp(encodeRlp(nested(16)))).toThrow(DecodeError)
    expect(() => decodeRlp(new Uint8Array(1_000_000).fill(0xc1))).toThrow(DecodeError)
  })
})

describe('RLP fields', () => {
  const fields = (...items: RlpItem[]) => RlpFields.decode(encodeRlp(items), 'test')

  it('reads integers without leading zeros, up to their size', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), value => {
        expect(fields(rlpUint(value)).uint(256)).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.maxSafeNat(), value => {
        expect(rlpUint(value)).toEqual(rlpUint(BigInt(value)))
        expect(fields(rlpUint(value)).safeUint()).toBe(value)
      }),
    )
    expect(() => fields(Uint8Array.of(0)).uint(256)).toThrow(DecodeError)
    expect(() => fields(Uint8Array.of(0, 1)).uint(256)).toThrow(DecodeError)
    expect(() => fields(rlpUint(256)).uint(8)).toThrow(DecodeError)
    expect(() => fields(rlpUint(2n ** 53n)).safeUint()).toThrow(DecodeError)
  })

  it('reads booleans as 0 and 1 only', () => {
    expect(fields(rlpUint(0)).boolean()).toBe(false)
    expect(fields(rlpUint(1)).boolean()).toBe(true)
    expect(() => fields(rlpUint(2)).boolean()).toThrow(DecodeError)
  })

  it('refuses fields of another shape, missing and left over', () => {
    const bytes = new Uint8Array(3)
    expect(() => fields(bytes).bytes({ min: 4 })).toThrow(DecodeError)
    expect(() => fields(bytes).bytes({ max: 2 })).toThrow(DecodeError)
    expect(() => fields(bytes).hash()).toThrow(DecodeError)
    expect(() => fields([]).bytes()).toThrow(DecodeError)
    expect(() => fields(bytes).items()).toThrow(DecodeError)
    expect(() => fields([bytes, bytes]).items({ max: 1 })).toThrow(DecodeError)
    expect(() => fields(bytes).fields('inner')).toThrow(DecodeError)
    expect(() => fields().item()).toThrow('test: field 0 is missing')
    expect(() => fields(bytes).end()).toThrow('test: 1 fields too many')
    expect(() => RlpFields.decode(encodeRlp(bytes), 'test')).toThrow('test: expected a list')
  })
})
