import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { type LogFilter, matchesFilter } from '../../io/execution/embedded/queries/log-filter.js'
import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'
import { LogWatchers } from './log-watchers.js'

const hexOf = (length: number) => fc.nat(3).map(digit => bytesToHex(new Uint8Array(length).fill(digit)))
const setOf = (length: number) => fc.array(hexOf(length), { maxLength: 3 }).map(values => new Set(values))
const filter: fc.Arbitrary<LogFilter> = fc.record(
  {
    addresses: setOf(20),
    topics: fc.array(setOf(32), { maxLength: 3 }),
    fromBlock: fc.record({ by: fc.constant('number' as const), number: fc.nat(4) }),
    toBlock: fc.record({ by: fc.constant('number' as const), number: fc.nat(4) }),
  },
  { requiredKeys: ['addresses', 'topics'] },
)
const log: fc.Arbitrary<LogJson> = fc.record({
  address: hexOf(20),
  topics: fc.array(hexOf(32), { maxLength: 3 }),
  data: fc.constant('0x' as const),
  blockNumber: fc.constant('0x2' as const),
  blockHash: fc.constant(zeroHash),
  blockTimestamp: fc.constant('0x0' as const),
  transactionHash: fc.constant(zeroHash),
  transactionIndex: fc.constant('0x0' as const),
  logIndex: fc.constant('0x0' as const),
  removed: fc.constant(false as const),
})
const height = 2

it('finds each watcher whose filter lets the log through, once, and no other', () => {
  fc.assert(
    fc.property(fc.array(filter, { maxLength: 8 }), fc.array(filter, { maxLength: 3 }), log, (kept, removed, seen) => {
      const watchers = new LogWatchers<LogFilter>()
      for (const each of [...removed, ...kept]) watchers.add(each, each)
      for (const each of removed) watchers.remove(each, each)
      const numbers = ({ fromBlock, toBlock }: LogFilter) => [fromBlock, toBlock] as { number: number }[]
      const expected = kept.filter(each => {
        const [from, to] = numbers(each)
        return (from?.number ?? 0) <= height && height <= (to?.number ?? height) && matchesFilter(each, seen)
      })
      const found = [...watchers.of(seen, height)]
      expect(found).toHaveLength(expected.length)
      expect(new Set(found)).toEqual(new Set(expected))
    }),
    { numRuns: 1_000 },
  )
})
