import { beforeEach, expect, it } from 'vitest'
import type { Hex } from '../../base/primitives/bytes.js'
import { zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import { everyLog } from '../../io/execution/embedded/queries/log-filter.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { FakeNode, token } from './fake-node.fixture.js'
import { FilterRegistry, type FilterTopic } from './filter-registry.js'
import { PacedWork } from './paced-work.js'

const config = {
  maxFilters: 3,
  maxFiltersPerHost: 2,
  maxFilterTerms: 5,
  maxFilterTermsPerHost: 4,
  maxFilterEntries: 4,
  maxFilterBytes: 3_500,
  maxFilterBytesOfAll: 5_000,
  maxFilterAnswerBytes: 10_000,
  filterLifetimeMs: 1_000,
}
const everything = { kind: 'logs', filter: everyLog, criteria: {} } as const
let node: FakeNode
let clock: VirtualClock
let filters: FilterRegistry
const start = (settings: Partial<typeof config> = {}) => {
  node = new FakeNode()
  clock = new VirtualClock()
  const { heads, mempool } = node.ports()
  filters = new FilterRegistry({
    config: { ...config, ...settings },
    clock,
    heads,
    mempool,
    work: new PacedWork(60_000),
  })
}
const install = (topic: FilterTopic, host: string | null = null) => filters.install(topic, host)
const changes = (id: Hex) => {
  const list = filters.changes(id)
  return list && JSON.parse(list.text)
}

beforeEach(() => start())

it('a filter lives as long as it is asked', async () => {
  const asked = install({ kind: 'blocks' })!
  const forgotten = install({ kind: 'blocks' })!
  await clock.advance(900)
  expect(changes(asked)).toEqual([])
  await clock.advance(900)
  node.mine([])
  expect(changes(asked)).toEqual([node.blocks[1]!.hash])
  expect(changes(forgotten)).toBeNull()
})

it('bounds filters, and makes room when some have expired', async () => {
  for (let i = 0; i < config.maxFilters; i++) expect(install(everything)).toMatch(/^0x[0-9a-f]+$/)
  expect(install(everything)).toBeNull()
  await clock.advance(config.filterLifetimeMs)
  expect(install(everything)).not.toBeNull()
})

it('bounds the addresses and topics of all filters together', () => {
  const filter = { addresses: new Set([token, zeroAddress]), topics: [new Set([zeroHash])] }
  const id = install({ ...everything, filter })!
  expect(install({ ...everything, filter })).toBeNull()
  expect(install(everything)).not.toBeNull()
  filters.uninstall(id)
  expect(install({ ...everything, filter })).not.toBeNull()
})

it('removes a filter that nobody reads rather than lose entries', () => {
  const id = install({ kind: 'blocks' })!
  for (let i = 0; i < config.maxFilterEntries; i++) node.mine([])
  expect(changes(id)).toHaveLength(config.maxFilterEntries)
  for (let i = 0; i <= config.maxFilterEntries; i++) node.mine([])
  expect(changes(id)).toBeNull()
})

/** Of the token, with as many bytes of data. */
const pooledWith = (bytes: number) => ({ raw: new Uint8Array(bytes), hash: zeroHash, sender: token, nonce: 0 })

it('removes a filter whose entries are too large for one answer', () => {
  const id = install(everything)!
  node.mine([pooledWith(500)])
  expect(changes(id)).toHaveLength(1)
  node.mine([pooledWith(1_700)])
  expect(changes(id)).toBeNull()
})

it('removes the fullest filter when all together hold too much', () => {
  const early = install(everything)!
  node.mine([pooledWith(500)])
  const late = [1, 2].map(() => install(everything)!)
  node.mine([pooledWith(500)])
  expect(changes(early)).toBeNull()
  expect(late.map(id => changes(id)?.length)).toEqual([1, 1])
  for (let i = 0; i < 10; i++) {
    node.mine([pooledWith(500)])
    expect(late.map(id => changes(id)?.length)).toEqual([1, 1])
  }
})

it('collects the logs that its range and address let through', async () => {
  const other = install({
    ...everything,
    filter: { addresses: new Set([zeroAddress]), topics: [] },
  })!
  const late = install({
    ...everything,
    filter: { addresses: new Set([token]), topics: [], fromBlock: { by: 'number', number: 2 } },
  })!
  const all = install(everything)!
  const pooled = { raw: new Uint8Array(5), hash: zeroHash, sender: token, nonce: 0 }
  node.mine([pooled])
  node.mine([pooled, pooled])
  expect(changes(other)).toEqual([])
  expect(changes(late)).toHaveLength(2)
  expect(changes(all)).toHaveLength(3)
})

it('hears nothing once closed', () => {
  const id = install({ kind: 'blocks' })!
  filters.close()
  node.mine([])
  expect(changes(id)).toEqual([])
})

it('a host has its share of filters, and of what they name; loopback has none', () => {
  const filter = { addresses: new Set([token, zeroAddress]), topics: [new Set([zeroHash])] }
  expect(install({ ...everything, filter }, '192.0.2.1')).not.toBeNull()
  expect(install({ ...everything, filter: { ...filter, topics: [] } }, '192.0.2.1')).toBeNull()
  expect(install({ kind: 'blocks' }, '192.0.2.1')).not.toBeNull()
  expect(install({ kind: 'blocks' }, '192.0.2.1')).toBeNull()
  expect(install({ ...everything, filter: { ...filter, topics: [] } }, '192.0.2.2')).not.toBeNull()
  start()
  for (let i = 0; i < config.maxFilters; i++) expect(install({ kind: 'blocks' })).not.toBeNull()
})

it('when all have too many, the one of the host with most that nobody asked for longest gives way', async () => {
  start({ maxFilters: 4, maxFiltersPerHost: 3 })
  const [first, second, third] = [1, 2, 3].map(() => install({ kind: 'blocks' }, '192.0.2.1')!)
  const local = install({ kind: 'blocks' })!
  await clock.advance(10)
  changes(first!)
  expect(install({ kind: 'blocks' }, '192.0.2.2')).not.toBeNull()
  expect([first, second, third, local].map(id => filters.topic(id!) !== null)).toEqual([true, false, true, true])
  expect([install({ kind: 'blocks' }, '192.0.2.2'), install({ kind: 'blocks' }, '192.0.2.3')]).toEqual([
    null,
    expect.anything(),
  ])
  expect([install({ kind: 'blocks' }, '192.0.2.4'), install({ kind: 'blocks' })]).toEqual([null, null])
})

it('when all name too much, filters of the host that names most give way', () => {
  start({ maxFilters: 10, maxFiltersPerHost: 10 })
  const naming = (count: number, host: string) => {
    const addresses = new Set([token, zeroAddress].slice(0, count))
    return install({ ...everything, filter: { ...everyLog, addresses } }, host)
  }
  const [first, second] = [naming(2, '192.0.2.1')!, naming(2, '192.0.2.1')!]
  const blocks = install({ kind: 'blocks' }, '192.0.2.1')!
  expect([naming(2, '192.0.2.2'), naming(2, '192.0.2.3')]).toEqual([expect.anything(), null])
  expect([first, second, blocks].map(id => filters.topic(id) !== null)).toEqual([false, true, true])
})

const roomy = { maxFilterEntries: 10_000, maxFilterBytes: 10_000_000, maxFilterBytesOfAll: 20_000_000 }

it('gives what one answer may have, and the rest at the next polls, in order', () => {
  start({ ...roomy, maxFilterAnswerBytes: 2_000 })
  const id = install(everything)!
  const sizes = [1, 2, 3, 4, 5_000, 5, 6]
  node.mine(sizes.map(pooledWith))
  const answers: number[][] = []
  do answers.push(changes(id).map(({ data }: { data: string }) => data.length / 2 - 1))
  while (answers.at(-1)!.length > 0)
  expect(answers.length).toBeGreaterThan(3)
  expect(answers.flat()).toEqual(sizes)
  node.mine([pooledWith(7)])
  expect(changes(id)).toHaveLength(1)
})

it('collects what one block brings in turns, and all of it', async () => {
  start({ ...roomy, maxFilterAnswerBytes: 10_000_000 })
  const id = install(everything)!
  const block = Array.from({ length: 3_000 }, (_, nonce) => pooledWith(nonce % 5))
  node.mine(block)
  const late = install(everything)!
  const first = changes(id)
  expect(first.length).toBeLessThan(2_000)
  const rest: unknown[] = []
  await expect.poll(() => rest.push(...changes(id))).toBe(3_000 - first.length)
  expect([...first, ...rest].map(({ logIndex }) => Number(logIndex))).toEqual(block.map((_, at) => at))
  expect(changes(late)).toEqual([])
})
