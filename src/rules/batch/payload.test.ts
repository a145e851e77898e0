import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesToHex, concatBytes } from '../../base/primitives/bytes.js'
import { type BatchPayload, decodePayload, encodePayload, maxPayloadBytes, type PayloadBlock } from './payload.js'
import { encodeVarint, VarintReader } from './varint.js'

const transaction = fc.uint8Array({ minLength: 12, maxLength: 300 })
const step = fc.record({
  timestampMs: fc.oneof(fc.nat(10_000), fc.constant(1_800_000_000_000)),
  origin: fc.nat(300),
  proposerIndex: fc.nat(255),
  messages: fc.nat(64),
  transactions: fc.array(transaction, { maxLength: 5 }),
})
const payloads = fc
  .record({
    setId: fc.nat(1_000_000),
    firstBlock: fc.nat(),
    steps: fc.array(step, { minLength: 1, maxLength: 12 }),
  })
  .map(({ setId, firstBlock, steps }): BatchPayload => {
    const at = { timestampMs: 0, l1OriginNumber: 0, messagesConsumed: 0 }
    const blocks = steps.map((next): PayloadBlock => {
      at.timestampMs += next.timestampMs
      at.l1OriginNumber += next.origin
      at.messagesConsumed += next.messages
      return { ...at, proposerIndex: next.proposerIndex, transactions: next.transactions }
    })
    return { setId, firstBlock, blocks }
  })

describe('batch payload', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(payloads, payload => {
        expect(decodePayload(encodePayload(payload))).toEqual(payload)
      }),
    )
  })

  it('has the bytes of spec/batches.md', () => {
    const one = new Uint8Array(12).fill(0xaa)
    const payload = {
      setId: 3,
      firstBlock: 300,
      blocks: [
        { timestampMs: 1_000, l1OriginNumber: 7, proposerIndex: 2, messagesConsumed: 5, transactions: [] },
        { timestampMs: 1_300, l1OriginNumber: 7, proposerIndex: 0, messagesConsumed: 6, transactions: [one] },
      ],
    }
    expect(bytesToHex(encodePayload(payload))).toBe(
      `0x01${'03'}${'ac02'}${'e807'}${'07'}${'02'}${'05'}${'00'}${'ac02'}${'00'}${'00'}${'01'}${'01'}${'0c'}${'aa'.repeat(12)}`,
    )
  })

  it('accepts changed bytes only when they are what the writer gives for what they say', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255), fc.integer({ min: -3, max: 3 }))
    fc.assert(
      fc.property(payloads, change, (payload, [at, value, longer]) => {
        const good = encodePayload(payload)
        const bytes = longer < 0 ? good.slice(0, longer) : concatBytes(good, new Uint8Array(longer).fill(value))
        if (bytes.length > 0) bytes[at % bytes.length] = value
        expectCanonicalOrRefused(bytes)
      }),
      { numRuns: 500 },
    )
  })

  it('refuses random bytes with a DecodeError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), expectCanonicalOrRefused), { numRuns: 500 })
  })

  it.each([
    ['nothing', Uint8Array.of()],
    ['an unknown version', Uint8Array.of(2, 1, 1, 1, 1, 1, 1, 0)],
    ['no block', Uint8Array.of(1, 1, 1)],
    ['an integer in a longer form', Uint8Array.of(1, 0x81, 0, 1, 1, 1, 1, 1, 0)],
    ['a transaction too short to be one', Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 11, ...new Uint8Array(11))],
    ['more transactions than bytes', Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 0xff, 0xff, 0x7f)],
    ['bytes above the limit', new Uint8Array(maxPayloadBytes + 1)],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodePayload(bytes)).toThrow(DecodeError)
  })
})

describe('varint', () => {
  it('reads what it wrote, up to 2^53 - 1', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), value => {
        const reader = new VarintReader(encodeVarint(value), 'test')
        expect(reader.uint()).toBe(value)
        expect(reader.atEnd).toBe(true)
      }),
    )
    expect(new VarintReader(encodeVarint(Number.MAX_SAFE_INTEGER), 'test').uint()).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('refuses 2^53', () => {
    const bytes = Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)
    expect(() => new VarintReader(bytes, 'test').uint()).toThrow(DecodeError)
  })
})

function expectCanonicalOrRefused(bytes: Uint8Array): void {
  let payload: BatchPayload
  try {
    payload = decodePayload(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError)
    return
  }
  expect(encodePayload(payload)).toEqual(bytes)
}
