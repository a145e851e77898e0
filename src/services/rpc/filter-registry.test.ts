import { beforeEach, expect, it } from 'vitest'
import { zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import { everyLog } from '../../io/execution/embedded/queries/log-filter.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { FakeNode, token } from './fake-node.fixture.js'
import { FilterRegistry } from './filter-registry.js'

const config = {
  maxFilters: 3,
  maxFilterTerms: 5,
  maxFilterEntries: 4,
  maxFilterBytes: 3_500,
  maxFilterBytesOfAll: 5_000,
  filterLifetimeMs: 1_000,
}
const everything = { kind: 'logs', filter: everyLog, criteria: {} } as const
let node: FakeNode
let clock: VirtualClock
let filters: FilterRegistry

beforeEach(() => {
  node = new FakeNode()
  clock = new VirtualClock()
  filters = new FilterRegistry({ config, clock, heads: node.ports().heads, mempool: node.ports().mempool })
})

it('a filter lives as long as it is asked', async () => {
  const asked = filters.install({ kind: 'blocks' })!
  const forgotten = filters.install({ kind: 'blocks' })!
  await clock.advance(900)
  expect(filters.changes(asked)).toEqual([])
  await clock.advance(900)
  node.mine([])
  expect(filters.changes(asked)).toEqual([node.blocks[1]!.hash])
  expect(filters.changes(forgotten)).toBeNull()
})

it('bounds filters, and makes room when some have expired', async () => {
  for (let i = 0; i < config.maxFilters; i++) expect(filters.install(everything)).toMatch(/^0x[0-9a-f]+$/)
  expect(filters.install(everything)).toBeNull()
  await clock.advance(config.filterLifetimeMs)
  expect(filters.install(everything)).not.toBeNull()
})

it('bounds the addresses and topics of all filters together', () => {
  const filter = { addresses: new Set([token, zeroAddress]), topics: [new Set([zeroHash])] }
  const id = filters.install({ ...everything, filter })!
  expect(filters.install({ ...everything, filter })).toBeNull()
  expect(filters.install(everything)).not.toBeNull()
  filters.uninstall(id)
  expect(filters.install({ ...everything, filter })).not.toBeNull()
})

it('removes a filter that nobody reads rather than lose entries', () => {
  const id = filters.install({ kind: 'blocks' })!
  for (let i = 0; i < config.maxFilterEntries; i++) node.mine([])
  expect(filters.changes(id)).toHaveLength(config.maxFilterEntries)
  for (let i = 0; i <= config.maxFilterEntries; i++) node.mine([])
  expect(filters.changes(id)).toBeNull()
})

/** Of the token, with as many bytes of data. */
const pooledWith = (bytes: number) => ({ raw: new Uint8Array(bytes), hash: zeroHash, sender: token, nonce: 0 })

it('removes a filter whose entries are too large for one answer', () => {
  const id = filters.install(everything)!
  node.mine([pooledWith(500)])
  expect(filters.changes(id)).toHaveLength(1)
  node.mine([pooledWith(1_500)])
  expect(filters.changes(id)).toBeNull()
})

it('removes the fullest filter when all together hold too much', () => {
  const early = filters.install(everything)!
  node.mine([pooledWith(500)])
  const late = [1, 2].map(() => filters.install(everything)!)
  node.mine([pooledWith(500)])
  expect(filters.changes(early)).toBeNull()
  expect(late.map(id => filters.changes(id)?.length)).toEqual([1, 1])
  for (let i = 0; i < 10; i++) {
    node.mine([pooledWith(500)])
    expect(late.map(id => filters.changes(id)?.length)).toEqual([1, 1])
  }
})

it('collects the logs that its range and address let through', async () => {
  const other = filters.install({
    ...everything,
    filter: { addresses: new Set([zeroAddress]), topics: [] },
  })!
  const late = filters.install({
    ...everything,
    filter: { addresses: new Set([token]), topics: [], fromBlock: { by: 'number', number: 2 } },
  })!
  const all = filters.install(everything)!
  const pooled = { raw: new Uint8Array(5), hash: zeroHash, sender: token, nonce: 0 }
  node.mine([pooled])
  node.mine([pooled, pooled])
  expect(filters.changes(other)).toEqual([])
  expect(filters.changes(late)).toHaveLength(2)
  expect(filters.changes(all)).toHaveLength(3)
})

it('hears nothing once closed', () => {
  const id = filters.install({ kind: 'blocks' })!
  filters.close()
  node.mine([])
  expect(filters.changes(id)).toEqual([])
})
