import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesToHex, type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { StoredLog } from '../reading.js'
import { logsBloom } from './log-bloom.js'
import { bloomTest, everyLog, type LogFilter, matchesFilter } from './log-filter.js'

const filled = (byte: string, length: number) => `0x${byte.repeat(length)}` as Hex
const hexOf = (length: number, choices: number) =>
  fc.integer({ min: 0, max: choices }).map(digit => bytesToHex(new Uint8Array(length).fill(digit)))
const log: fc.Arbitrary<StoredLog> = fc.record({
  address: hexOf(20, 4),
  topics: fc.array(hexOf(32, 4), { maxLength: 4 }),
  data: fc.constant(new Uint8Array(0)),
})
const setOf = (length: number) => fc.array(hexOf(length, 4), { maxLength: 2 }).map(values => new Set(values))
const filter: fc.Arbitrary<LogFilter> = fc.record({
  addresses: setOf(20),
  topics: fc.array(setOf(32), { maxLength: 4 }),
})

it('the bloom of a block never hides a log that passes the filter', () => {
  fc.assert(
    fc.property(filter, fc.array(log, { maxLength: 6 }), (wanted, logs) => {
      if (logs.some(entry => matchesFilter(wanted, entry)))
        expect(bloomTest(wanted)(hexToBytes(logsBloom(logs)))).toBe(true)
    }),
  )
})

it('a bloom without the address or the topic is not searched', () => {
  const bloom = hexToBytes(
    logsBloom([{ address: filled('aa', 20), topics: [filled('bb', 32)], data: new Uint8Array(0) }]),
  )
  expect(bloomTest({ addresses: new Set([filled('ab', 20)]), topics: [] })(bloom)).toBe(false)
  expect(bloomTest({ addresses: new Set(), topics: [new Set(), new Set([filled('cc', 32)])] })(bloom)).toBe(false)
  expect(bloomTest(everyLog)(bloom)).toBe(true)
})

it('sets the bits that Ethereum sets', () => {
  const bits = hexToBytes(logsBloom([{ address: filled('00', 20), topics: [], data: new Uint8Array(0) }]))
  // keccak256 of 20 zero bytes begins 5380c7b7ae81: bits 0x380, 0x7b7, 0x681 from the low end.
  const set: number[] = []
  for (let bit = 0; bit < 2048; bit++) if (bits[255 - (bit >> 3)]! & (1 << (bit & 7))) set.push(bit)
  expect(set).toEqual([0x380, 0x681, 0x7b7])
})
