import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeRlp } from '../../../../base/encoding/rlp.js'
import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { StoredReceipt } from '../reading.js'
import { decodeOutcomes, decodeReceiptAt, decodeReceipts, encodeReceipts } from './stored-receipt.js'

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(bytesToHex)
const log = fc.record({
  address: hex(20),
  topics: fc.array(hex(32), { maxLength: 4 }),
  data: fc.uint8Array({ maxLength: 80 }),
})
const receipt: fc.Arbitrary<StoredReceipt> = fc.record({
  sender: hex(20),
  succeeded: fc.boolean(),
  gasUsed: fc.nat(),
  cumulativeGasUsed: fc.nat(),
  effectiveGasPrice: fc.bigInt({ min: 0n, max: 2n ** 100n }),
  contractAddress: fc.option(hex(20)),
  logs: fc.array(log, { maxLength: 5 }),
})

it('receipts of a block are read whole, one by one, or without their logs, with the same outcome', () => {
  fc.assert(
    fc.property(fc.array(receipt, { maxLength: 5 }), receipts => {
      const stored = encodeReceipts(receipts)
      expect(decodeReceipts(stored)).toEqual(receipts)
      expect(decodeOutcomes(stored)).toEqual(receipts.map(({ logs: _, ...outcome }) => outcome))
      let firstLogIndex = 0
      receipts.forEach((receipt, index) => {
        expect(decodeReceiptAt(stored, index)).toEqual({ receipt, firstLogIndex })
        firstLogIndex += receipt.logs.length
      })
      expect(decodeReceiptAt(stored, receipts.length)).toBeNull()
    }),
  )
})

it.each([encodeRlp(new Uint8Array(3)), encodeRlp([new Uint8Array(3)]), encodeRlp([[]]), new Uint8Array(0)])(
  'what is no list of receipts is refused by name: %s',
  bytes => {
    expect(() => decodeOutcomes(bytes)).toThrow(expect.objectContaining({ name: 'DecodeError' }))
    expect(() => decodeReceiptAt(bytes, 0)).toThrow(expect.objectContaining({ name: 'DecodeError' }))
  },
)
