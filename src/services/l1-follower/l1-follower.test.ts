import { afterEach, expect, test } from 'vitest'
import type { Hex } from '../../base/primitives/bytes.js'
import { type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import { batchHash, genesisBatchHeader } from '../../base/protocol/batch-header.js'
import { nextRollingHash } from '../../base/protocol/l1-message.js'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import type { L1Block, L1Reader } from '../../io/l1/l1-client.js'
import { L1Error } from '../../io/l1/l1-error.js'
import { MemoryL1 } from '../../io/l1/memory-l1.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { createL1Follower, type L1Follower, type L1FollowerConfig } from './l1-follower.js'

const account = (byte: string): Hex => `0x${byte.repeat(20)}`
const genesis = genesisBatchHeader({ blockHash: zeroHash, stateRoot: zeroHash })

function makeL1({ blockSec = 1 } = {}): MemoryL1 {
  return new MemoryL1({
    ...devnetParameters,
    domain: { l1ChainId: 1, rollup: account('aa') },
    sets: [],
    genesis,
    startSec: 1_000,
    blockSec,
    finalityDepth: 3,
  })
}

const open: L1Follower[] = []
afterEach(async () => {
  for (const follower of open.splice(0)) await follower[Symbol.asyncDispose]()
})

function follow(
  l1: MemoryL1,
  {
    store = new MemoryStore(),
    reader = l1.reader(),
    clock = new VirtualClock(),
    config = {},
  }: { store?: MemoryStore; reader?: L1Reader; clock?: VirtualClock; config?: Partial<L1FollowerConfig> } = {},
) {
  const errors: string[] = []
  const logger: Logger = {
    debug() {},
    info: message => void errors.push(message),
    warn() {},
    error: (_, fields) => void errors.push(String(fields?.reason)),
    child: () => logger,
  }
  const follower = createL1Follower({
    config: { parameters: { l1Confirmations: 1 }, startBlock: 0, pollMs: 250, ...config },
    ports: { reader, store, clock, logger, metrics: silentMetrics },
  })
  open.push(follower)
  return { follower, clock, errors, store }
}

const deposit = (l1: MemoryL1, amount: number) =>
  l1.deposit({ sender: account('01'), to: account('02'), amount: BigInt(amount) * 10n ** 9n })
const amounts = (follower: L1Follower, upToL1Block = Number.MAX_SAFE_INTEGER) =>
  follower.messages({ from: 0, upToL1Block, limit: 100 }).map(message => Number(message.amount / 10n ** 9n))

test('blocks and messages are followed; the origin is as deep as the confirmations', async () => {
  const l1 = makeL1()
  deposit(l1, 1)
  l1.mine()
  deposit(l1, 2)
  deposit(l1, 3)
  l1.mine()
  l1.mine()
  const { follower } = follow(l1, { config: { parameters: { l1Confirmations: 2 } } })
  await follower.refresh()
  expect(follower.head()).toEqual(l1.head)
  expect(follower.eligibleOrigin()?.number).toBe(1)
  expect(follower.canonical(2)?.parentHash).toBe(follower.canonical(1)?.hash)
  expect(follower.canonical(4)).toBeNull()
  expect([0, 1, 2, 3, 9].map(number => follower.messageCountAt(number))).toEqual([0, 1, 3, 3, 3])
  expect(amounts(follower)).toEqual([1, 2, 3])
  expect(amounts(follower, 1)).toEqual([1])
  expect(follower.messages({ from: 1, upToL1Block: 3, limit: 1 }).map(message => message.index)).toEqual([1])
  expect(follower.rollingHashAt(0)).toBe(zeroHash)
  const events = await l1.reader().events({ from: 0, to: 3 })
  const hashes = events.flatMap(event => (event.type === 'message' ? [event.rollingHash] : []))
  expect([1, 2, 3].map(count => follower.rollingHashAt(count))).toEqual(hashes)
  expect(follower.rollingHashAt(4)).toBeNull()
})

test('a block that says it has another number is refused, and nothing of it is kept', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 4; i++) l1.mine()
  const honest = l1.reader()
  let lying = true
  const reader: L1Reader = {
    ...honest,
    block: async number => {
      const block = await honest.block(number)
      return lying && block && number > 1 ? { ...block, number: number + 5_000 } : block
    },
    head: async () => (lying ? { ...l1.head, number: l1.head.number + 5_000 } : l1.head),
  }
  const { follower, errors, store } = follow(l1, { reader, config: { windowBlocks: 2 } })
  await follower.refresh()
  expect(errors).toEqual(['L1 gave a block out of its place'])
  expect(follower.head()?.number).toBe(1)
  await follower[Symbol.asyncDispose]()
  lying = false
  const { follower: again } = follow(l1, { reader, store })
  await again.refresh()
  expect(again.head()).toEqual(l1.head)
})

test('with confirmations "finalized" the origin is the finalized block', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 5; i++) l1.mine()
  const { follower } = follow(l1, { config: { parameters: { l1Confirmations: 'finalized' } } })
  await follower.refresh()
  expect(follower.eligibleOrigin()?.number).toBe(2)
})

test('a followed block that L1 replaced is never taken for final, nor are its messages', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 5; i++) l1.mine()
  deposit(l1, 1)
  l1.mine()
  const config = { parameters: { l1Confirmations: 'finalized' } } as const
  const { follower: before, store } = follow(l1, { config })
  await before.refresh()
  expect(before.head()?.number).toBe(6)
  await before[Symbol.asyncDispose]()
  // The tip is replaced, and the node is away for longer than finality takes.
  l1.reorg({ depth: 1, blocks: 1 })
  for (let i = 0; i < 10; i++) l1.mine()
  const { follower } = follow(l1, { config, store })
  const origins: (L1Block | null)[] = []
  follower.onChange(() => origins.push(follower.eligibleOrigin()))
  await follower.refresh()
  expect(origins.length).toBeGreaterThan(1)
  for (const origin of origins)
    expect(origin && (await l1.reader().block(origin.number))?.hash).toBe(origin?.hash ?? null)
  expect(origins.at(-1)).toEqual(await l1.reader().finalized())
})

test('the final block stays what it was while the one that L1 tells is not followed yet', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 5; i++) l1.mine()
  const { follower } = follow(l1, { config: { parameters: { l1Confirmations: 'finalized' }, windowBlocks: 2 } })
  const origins: (number | undefined)[] = []
  follower.onChange(() => origins.push(follower.eligibleOrigin()?.number))
  await follower.refresh()
  for (let i = 0; i < 8; i++) l1.mine()
  await follower.refresh()
  expect(origins).toEqual([undefined, undefined, 2, 2, 2, 2, 2, 10, 10])
})

test.each(['head', 'block', 'events'] as const)(
  'a stop does not wait for an L1 that hangs: %s',
  async method => {
    const l1 = makeL1()
    l1.mine()
    l1.mine()
    let isAsked = () => {}
    const asked = new Promise<void>(resolve => {
      isAsked = resolve
    })
    const reader = l1.reader()
    reader[method] = () => {
      isAsked()
      return new Promise<never>(() => {})
    }
    const { follower, errors } = follow(l1, { reader })
    await asked
    await follower[Symbol.asyncDispose]()
    await follower.refresh()
    expect(errors).toEqual([])
  },
  5_000,
)

test('a follower that is stopped while it follows a reorg asks L1 nothing more', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 4; i++) l1.mine()
  const reader = l1.reader()
  const { follower } = follow(l1, { reader })
  await follower.refresh()
  l1.reorg({ depth: 2, blocks: 2 })
  let stopped: PromiseLike<void> | undefined
  follower.onChange(() => {
    stopped ??= follower[Symbol.asyncDispose]()
    reader.head = () => new Promise<never>(() => {})
  })
  await follower.refresh()
  await stopped
  expect(follower.head()?.number).toBe(2)
}, 5_000)

test('before the start block nothing is known', async () => {
  const l1 = makeL1()
  l1.mine()
  l1.mine()
  const { follower } = follow(l1, { config: { startBlock: 2 } })
  expect(follower.head()).toBeNull()
  expect(follower.eligibleOrigin()).toBeNull()
  await follower.refresh()
  expect(follower.canonical(1)).toBeNull()
  expect(follower.messageCountAt(1)).toBe(0)
  expect(follower.eligibleOrigin()).toBeNull()
})

test('the genesis batch is committed and final; other batches are unknown', async () => {
  const l1 = makeL1()
  const { follower } = follow(l1)
  await follower.refresh()
  expect([follower.lastCommitted(), follower.lastFinalized()]).toEqual([0, 0])
  expect(follower.committedBatch(0)?.batchHash).toBe(batchHash(genesis))
  expect(follower.committedBatch(1)).toBeNull()
})

test.each([1, 5, 40])('a reorg of %i blocks replaces blocks and messages', async depth => {
  const l1 = makeL1()
  for (let i = 0; i < 5; i++) l1.mine()
  deposit(l1, 1)
  l1.mine()
  const kept = depth === 1 ? [1] : []
  for (let i = 0; i < depth - (depth === 1 ? 1 : 2); i++) l1.mine()
  deposit(l1, 2)
  l1.mine()
  const { follower } = follow(l1, { config: { windowBlocks: 7 } })
  await follower.refresh()
  expect(amounts(follower)).toEqual([1, 2])
  const before = follower.head()
  l1.reorg({ depth, blocks: depth - 1 })
  deposit(l1, 3)
  l1.mine()
  await follower.refresh()
  expect(follower.head()).toEqual(l1.head)
  expect(follower.head()?.number).toBe(before?.number)
  expect(follower.head()?.hash).not.toBe(before?.hash)
  expect(amounts(follower)).toEqual([...kept, 3])
})

test('a chain that lost blocks and grows otherwise is a reorg; an endpoint that lags is none', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 6; i++) l1.mine()
  let lag = 0
  const reader: L1Reader = { ...l1.reader(), head: async () => (await l1.reader().block(l1.head.number - lag))! }
  const { follower } = follow(l1, { reader })
  await follower.refresh()
  const head = follower.head()
  lag = 3
  await follower.refresh()
  expect(follower.head()).toEqual(head)
  lag = 0
  l1.reorg({ depth: 3, blocks: 0 })
  await follower.refresh()
  expect(follower.head()).toEqual(head)
  l1.reorg({ depth: 1 })
  await follower.refresh()
  expect(follower.head()).toEqual(l1.head)
})

test.each([
  ['the block after ours', 1],
  ['ours', 0],
  ['one before ours', -2],
])('a head of a fork that lost, told as %s, is a bad answer: the view stays and the poll ends', async (_, offset) => {
  const l1 = makeL1()
  for (let i = 0; i < 6; i++) l1.mine()
  const heads: L1Block[] = []
  const inner = l1.reader()
  let requests = 0
  const reader: L1Reader = {
    ...inner,
    head: async () => heads.shift() ?? l1.head,
    block: async number => {
      if (++requests > 100) throw new L1Error('L1_UNREACHABLE', 'asked without end')
      return inner.block(number)
    },
  }
  const { follower, errors } = follow(l1, { reader })
  await follower.refresh()
  const head = follower.head()!
  const [hash, parentHash] = [`0x${'b1'.repeat(32)}`, `0x${'b0'.repeat(32)}`] as [Hash32, Hash32]
  heads.push({ ...head, number: head.number + offset, hash, parentHash })
  l1.mine()
  await follower.refresh()
  expect(follower.head()).toEqual(head)
  expect(follower.health().error).toBe('L1 told a block that is not of its chain')
  await follower.refresh()
  expect(follower.head()).toEqual(l1.head)
  expect(errors).toEqual(['L1 told a block that is not of its chain', 'L1 is followed again'])
})

test.each([
  { reorgs: 3, error: null },
  { reorgs: 5, error: 'L1 answers from ever another chain' },
])('a head is read anew after each of $reorgs reorgs in one poll, a few times at most', async ({ reorgs, error }) => {
  const l1 = makeL1()
  for (let i = 0; i < 20; i++) l1.mine()
  let asked = Number.NaN
  const head = async () => {
    if (++asked <= reorgs) l1.reorg({ depth: 1 + asked })
    return l1.head
  }
  const { follower } = follow(l1, { reader: { ...l1.reader(), head } })
  await follower.refresh()
  asked = 0
  await follower.refresh()
  expect(follower.health().error).toBe(error)
  expect(asked).toBe(4)
  await follower.refresh()
  await follower.refresh()
  expect(follower.head()).toEqual(l1.head)
})

test('another L1 altogether is followed from the start', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 30; i++) l1.mine()
  const { follower, store } = follow(l1)
  await follower.refresh()
  await follower[Symbol.asyncDispose]()
  const other = makeL1()
  for (let i = 0; i < 35; i++) other.mine({ timestamp: 5_000 + i })
  const again = follow(other, { store, config: { startBlock: 1 } })
  await again.follower.refresh()
  expect(again.follower.head()).toEqual(other.head)
  expect(again.follower.canonical(1)?.timestamp).toBe(5_000)
})

test('after a restart it goes on from the store and asks for new blocks alone', async () => {
  const l1 = makeL1()
  deposit(l1, 1)
  for (let i = 0; i < 10; i++) l1.mine()
  const first = follow(l1)
  await first.follower.refresh()
  await first.follower[Symbol.asyncDispose]()
  deposit(l1, 2)
  l1.mine()
  const asked: number[] = []
  const inner = l1.reader()
  const reader: L1Reader = {
    ...inner,
    events: range => {
      asked.push(range.from)
      return inner.events(range)
    },
  }
  const second = follow(l1, { store: first.store, reader })
  expect(second.follower.head()?.number).toBe(10)
  expect(amounts(second.follower)).toEqual([1])
  await second.follower.refresh()
  expect(asked).toEqual([11])
  expect(amounts(second.follower)).toEqual([1, 2])
})

test('an L1 that does not answer leaves the last view; one log line says so, one that it is back', async () => {
  const l1 = makeL1()
  l1.mine()
  const { follower, clock, errors } = follow(l1)
  await follower.refresh()
  const head = follower.head()
  l1.mine()
  l1.failNext(3)
  await clock.advance(1_000)
  expect(follower.health()).toMatchObject({ error: expect.stringContaining('does not answer') })
  await clock.advance(600)
  expect(follower.head()).toEqual(head)
  expect(errors.length).toBe(1)
  await clock.advance(5_000)
  expect(follower.head()).toEqual(l1.head)
  expect(follower.health()).toMatchObject({ error: null, behind: 0 })
  expect(errors).toEqual([errors[0], 'L1 is followed again'])
})

test.each([
  {
    name: 'a wrong rolling hash',
    change: { rollingHash: `0x${'13'.repeat(32)}` as Hash32 },
    reason: 'the rolling hash of an L1 message is wrong',
  },
  { name: 'a message left out', change: { message: { index: 4 } }, reason: 'L1 left out a message' },
])('$name is an error that is shown, and the view stays', async ({ change, reason }) => {
  const l1 = makeL1()
  const inner = l1.reader()
  const reader: L1Reader = {
    ...inner,
    events: async range =>
      (await inner.events(range)).map(event =>
        event.type === 'message' ? { ...event, ...change, message: { ...event.message, ...change.message } } : event,
      ),
  }
  const { follower, errors } = follow(l1, { reader })
  await follower.refresh()
  deposit(l1, 1)
  l1.mine()
  await follower.refresh()
  expect(follower.head()?.number).toBe(0)
  expect(follower.health().error).toBe(reason)
  expect(errors).toEqual([reason])
})

test.each([1, 150, 1_000])(
  'a lie that was believed %i blocks ago is read again when the endpoint tells the truth',
  async depth => {
    const l1 = makeL1()
    const inner = l1.reader()
    let lying = true
    const invented = {
      kind: 0,
      index: 0,
      sender: account('66'),
      to: account('66'),
      amount: 10n ** 24n,
      data: new Uint8Array(),
    }
    const reader: L1Reader = {
      ...inner,
      events: async range => {
        const message = { ...invented, l1BlockNumber: 1 }
        const lie = { type: 'message', message, rollingHash: nextRollingHash(zeroHash, message) } as const
        return [...(await inner.events(range)), ...(lying && range.from <= 1 && range.to >= 1 ? [lie] : [])]
      },
    }
    for (let i = 0; i < depth; i++) l1.mine()
    const { follower, clock } = follow(l1, { reader })
    await follower.refresh()
    expect(amounts(follower)).toEqual([10 ** 15])
    lying = false
    for (let i = 0; i < 10; i++) l1.mine()
    deposit(l1, 1)
    l1.mine()
    await clock.advance(60_000)
    expect(amounts(follower)).toEqual([1])
    expect(follower.head()).toEqual(l1.head)
    expect(follower.health().error).toBeNull()
  },
)

test('an endpoint that contradicts itself for ever takes the whole view away ever more rarely', async () => {
  const l1 = makeL1()
  const inner = l1.reader()
  const reader: L1Reader = {
    ...inner,
    events: async range => (await inner.events(range)).slice(range.from > 0 ? 1 : 0),
  }
  for (let i = 0; i < 99; i++) l1.mine()
  deposit(l1, 1)
  deposit(l1, 2)
  l1.mine()
  const { follower } = follow(l1, { reader })
  let losses = 0
  follower.onChange(() => {
    if (!follower.head()) losses++
  })
  for (let i = 0; i < 64; i++) await follower.refresh()
  expect(follower.health().error).toBe('L1 left out a message')
  expect(losses).toBeLessThanOrEqual(6)
})

test('one contradiction alone throws nothing away', async () => {
  const l1 = makeL1()
  const inner = l1.reader()
  let hiding = false
  const reader: L1Reader = { ...inner, events: async range => (await inner.events(range)).slice(hiding ? 1 : 0) }
  deposit(l1, 1)
  l1.mine()
  const { follower } = follow(l1, { reader })
  await follower.refresh()
  const head = follower.head()
  hiding = true
  deposit(l1, 2)
  deposit(l1, 3)
  l1.mine()
  await follower.refresh()
  expect(follower.head()).toEqual(head)
  hiding = false
  await follower.refresh()
  expect(amounts(follower)).toEqual([1, 2, 3])
})

test('changes are told, and no more after unsubscribing', async () => {
  const l1 = makeL1()
  const { follower, clock } = follow(l1)
  await follower.refresh()
  let changes = 0
  const unsubscribe = follower.onChange(() => changes++)
  l1.mine()
  await clock.advance(250)
  expect(changes).toBe(1)
  await clock.advance(1_000)
  expect(changes).toBe(1)
  unsubscribe()
  l1.mine()
  await clock.advance(250)
  expect(changes).toBe(1)
})

test.each([
  { name: 'right', skewSec: 0, latestMs: 500, polls: 6 },
  { name: 'a second slow', skewSec: -1, latestMs: 500, polls: 5 },
  { name: 'an hour slow', skewSec: -3_600, latestMs: 12_000, polls: 2 },
  { name: 'an hour fast', skewSec: 3_600, latestMs: 500, polls: 27 },
])('L1 is polled when its next block is due, by a clock that is $name', async ({ skewSec, latestMs, polls }) => {
  const l1 = makeL1({ blockSec: 12 })
  const clock = new VirtualClock((l1.head.timestamp + skewSec) * 1_000)
  let asked = 0
  const inner = l1.reader()
  const reader: L1Reader = {
    ...inner,
    head: () => {
      asked++
      return inner.head()
    },
  }
  const { follower } = follow(l1, { reader, clock, config: { pollMs: 500 } })
  const blocks = 100
  let latest = 0
  for (let i = 0; i < blocks; i++) {
    const slot = (l1.head.timestamp + 12 + skewSec) * 1_000
    // A block of Ethereum is out a while after its slot began; every tenth slot has none.
    await clock.advance(slot + 1_300 - clock.nowMs())
    l1.mine({ timestamp: l1.head.timestamp + (i % 10 === 9 ? 24 : 12) })
    if (i % 10 === 9) await clock.advance(12_000)
    const out = clock.nowMs()
    while (follower.head()?.number !== l1.head.number) await clock.advance(50)
    latest = Math.max(latest, clock.nowMs() - out)
  }
  expect(latest).toBeLessThanOrEqual(latestMs)
  expect(asked / blocks).toBeLessThanOrEqual(polls)
})

test('an earlier start block is read from anew, and a later one is taken as it is', async () => {
  const l1 = makeL1()
  for (let i = 0; i < 6; i++) l1.mine()
  const { store } = follow(l1, { config: { startBlock: 4 } })
  await open[0]!.refresh()
  await open.pop()![Symbol.asyncDispose]()
  const earlier = follow(l1, { store, config: { startBlock: 2 } })
  expect(earlier.errors).toEqual([])
  await earlier.clock.advance(1_000)
  expect(earlier.follower.canonical(2)?.number).toBe(2)
  expect(earlier.follower.head()).toEqual(l1.head)
  await open.pop()![Symbol.asyncDispose]()
  const later = follow(l1, { store, config: { startBlock: 5 } })
  expect(later.follower.head()).toEqual(l1.head)
  expect(later.follower.canonical(4)).toBe(null)
})
