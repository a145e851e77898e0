import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Hex } from '../../../base/primitives/bytes.js'
import { zeroHash } from '../../../base/primitives/hashes.js'
import { InvariantError } from '../../../base/primitives/invariant.js'
import { genesisBatchHeader } from '../../../base/protocol/batch-header.js'
import { nextRollingHash } from '../../../base/protocol/l1-message.js'
import { devnetParameters } from '../../../base/protocol/protocol-parameters.js'
import type { Logger } from '../../telemetry/logger.js'
import { type MetricLabels, type Metrics, silentMetrics } from '../../telemetry/metrics.js'
import { pause } from '../../time/clock.js'
import { VirtualClock } from '../../time/virtual-clock.js'
import type { L1Event, L1Reader } from '../l1-client.js'
import { L1Error } from '../l1-error.js'
import { MemoryL1 } from '../memory-l1.js'
import { createQuorumL1Reader, type QuorumL1ReaderConfig } from './quorum-l1-reader.js'

const account = (byte: string): Hex => `0x${byte.repeat(20)}`
const [alice, mallory] = [account('01'), account('66')]

function makeL1(): MemoryL1 {
  return new MemoryL1({
    ...devnetParameters,
    domain: { l1ChainId: 1, rollup: account('aa') },
    sets: [],
    genesis: genesisBatchHeader({ blockHash: zeroHash, stateRoot: zeroHash }),
    startSec: 1_000,
    blockSec: 1,
    finalityDepth: 3,
  })
}

function deposit(l1: MemoryL1, amount = 1): void {
  l1.deposit({ sender: alice, to: alice, amount: BigInt(amount) * 10n ** 9n })
}

/** What an endpoint of an L1 can do to its user. */
type Fault =
  | 'honest'
  | 'slow'
  | 'fails'
  | 'hangs'
  | 'lags'
  | 'invents'
  | 'hides'
  | 'forks'
  | 'boasts'
  | 'boasts and hangs'
  | 'boasts and mumbles'

const unreachable = async () => {
  throw new L1Error('L1_UNREACHABLE', 'L1 does not answer: fetch https://rpc.example/v3/hunter2 failed')
}
const never = () => new Promise<never>(() => {})

/** The same chain up to four blocks below the head, other blocks and a deposit of mallory after. */
function forkOf(blocks: number): MemoryL1 {
  const fork = makeL1()
  for (let i = 0; i < blocks; i++) fork.mine()
  fork.reorg({ depth: Math.min(4, blocks), blocks: 0 })
  for (let i = 0; i < 6; i++) {
    fork.deposit({ sender: mallory, to: mallory, amount: 10n ** 9n })
    fork.mine()
  }
  return fork
}

function withFault(l1: MemoryL1, fault: Fault, clock = new VirtualClock()): L1Reader {
  const inner = l1.reader()
  const all = (answer: () => Promise<never>) =>
    Object.fromEntries(Object.keys(inner).map(name => [name, answer])) as unknown as L1Reader
  switch (fault) {
    case 'honest':
      return inner
    case 'slow':
      return {
        ...inner,
        head: () => pause(clock, 700).then(inner.head),
        finalized: () => pause(clock, 700).then(inner.finalized),
        events: range => pause(clock, 700).then(() => inner.events(range)),
      }
    case 'fails':
      return all(unreachable)
    case 'hangs':
      return all(never)
    case 'forks':
      return forkOf(l1.head.number).reader()
    case 'lags': {
      const at = (number: number) => Math.max(0, number - 3)
      return {
        ...inner,
        head: async () => (await inner.block(at(l1.head.number)))!,
        block: async number => (number > at(l1.head.number) ? null : inner.block(number)),
        events: ({ from, to }) => inner.events({ from, to: Math.min(to, at(l1.head.number)) }),
      }
    }
    case 'invents':
      return { ...inner, events: async range => [...(await inner.events(range)), await invented(inner, range.to)] }
    case 'hides':
      return { ...inner, events: async () => [] }
    case 'boasts':
      return { ...inner, head: async () => ahead(l1, 1_000), lastCommittedBatch: async () => 1_000 }
    case 'boasts and hangs':
      return { ...inner, head: async () => ahead(l1, 1), finalized: async () => ahead(l1, 1), block: never }
    case 'boasts and mumbles':
      return {
        ...inner,
        head: async () => ahead(l1, 1),
        finalized: async () => ahead(l1, 1),
        block: number => pause(clock, 4_900).then(() => ({ ...l1.head, number, hash: account('ff') })),
      }
  }
}

/** A head that is none. */
const ahead = (l1: MemoryL1, blocks: number) => ({ ...l1.head, number: l1.head.number + blocks, hash: zeroHash })

/** A deposit that never was, as the next message after those of the honest chain. */
async function invented(inner: L1Reader, l1BlockNumber: number): Promise<L1Event> {
  const messages = (await inner.events({ from: 0, to: l1BlockNumber })).filter(event => event.type === 'message')
  const message = {
    kind: 0,
    index: messages.length,
    sender: mallory,
    to: mallory,
    amount: 10n ** 24n,
    data: new Uint8Array(),
    l1BlockNumber,
  }
  return { type: 'message', message, rollingHash: nextRollingHash(messages.at(-1)?.rollingHash ?? zeroHash, message) }
}

function quorumOf(
  readers: readonly L1Reader[],
  { clock = new VirtualClock(1_000_000), ...config }: QuorumL1ReaderConfig & { clock?: VirtualClock } = {},
) {
  const lines: string[] = []
  const note = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger }
  const counts = new Map<string, number>()
  const metric = (name: string, _help: string, labels?: MetricLabels) => {
    const key = `${name.replace('morphism_l1_endpoint_', '')} ${labels?.endpoint}`
    return {
      inc: () => void counts.set(key, (counts.get(key) ?? 0) + 1),
      set: (value: number) => void counts.set(key, value),
    }
  }
  const metrics: Metrics = { ...silentMetrics, counter: metric, gauge: metric }
  const reader = createQuorumL1Reader({
    config,
    ports: {
      endpoints: readers.map((one, i) => ({
        url: `https://user:pw${i}@node-${i}.example/v3/hunter2?k=hunter2`,
        reader: one,
      })),
      clock,
      logger,
      metrics,
    },
  })
  return { reader, clock, lines, counts }
}

/** Runs the clock until the answer is there. */
async function answered<Value>(clock: VirtualClock, answer: Promise<Value>): Promise<Value> {
  let done = false
  const end = () => {
    done = true
  }
  answer.then(end, end)
  await clock.advance(0)
  for (let waited = 0; !done && waited < 60_000; waited += 250) await clock.advance(250)
  expect(done, 'no answer in a minute').toBe(true)
  return answer
}

function scene(...faults: Fault[]) {
  const l1 = makeL1()
  for (let i = 0; i < 8; i++) {
    if (i % 3 === 0) deposit(l1, i + 1)
    l1.mine()
  }
  const clock = new VirtualClock(1_000_000)
  return {
    l1,
    ...quorumOf(
      faults.map(fault => withFault(l1, fault, clock)),
      { clock },
    ),
  }
}

describe('an honest quorum', () => {
  test.each<[string, Fault[]]>([
    ['all honest', ['honest', 'honest', 'honest']],
    ['one fails', ['fails', 'honest', 'honest']],
    ['one hangs', ['hangs', 'honest', 'honest']],
    ['one lags', ['lags', 'honest', 'honest']],
    ['one is on a fork', ['forks', 'honest', 'honest']],
    ['one invents a deposit', ['invents', 'honest', 'honest']],
    ['one hides the deposits', ['hides', 'honest', 'honest']],
    ['one tells of a head that is none', ['boasts', 'honest', 'honest']],
    ['two of five', ['invents', 'boasts', 'honest', 'honest', 'honest']],
    ['two of five, each its way', ['hangs', 'honest', 'forks', 'honest', 'honest']],
    ['one boasts and hangs, one is slow', ['boasts and hangs', 'honest', 'slow']],
    ['one boasts and mumbles, one is slow', ['boasts and mumbles', 'honest', 'slow']],
    ['liars answer before the slow', ['boasts', 'invents', 'forks', 'slow', 'slow', 'slow', 'honest']],
  ])('is believed: %s', async (_, faults) => {
    const { l1, reader, clock } = scene(...faults)
    const honest = l1.reader()
    const to = l1.head.number
    expect(await answered(clock, reader.head())).toEqual(l1.head)
    expect(await answered(clock, reader.finalized())).toEqual(await honest.finalized())
    expect(await answered(clock, reader.block(to - 1))).toEqual(await honest.block(to - 1))
    expect(await answered(clock, reader.events({ from: 0, to }))).toEqual(await honest.events({ from: 0, to }))
    expect(await answered(clock, reader.lastCommittedBatch())).toBe(0)
    expect(await answered(clock, reader.committedAt(0))).toBe(1_000)
    expect(await answered(clock, reader.committedAt(7))).toBeNull()
    expect(await answered(clock, reader.sequencerSet(9))).toBeNull()
    expect(await answered(clock, reader.committedBatch(zeroHash))).toBeNull()
  })

  test('that lags decides the head, and the endpoint that is ahead confirms it', async () => {
    const { l1, reader, clock, counts } = scene('lags', 'honest', 'lags')
    expect((await answered(clock, reader.head())).number).toBe(l1.head.number - 3)
    expect(counts.get('lag_blocks 0')).toBe(0)
    expect(counts.get('disagreements_total 1')).toBeUndefined()
  })

  test('on different forks agrees on the block where they parted', async () => {
    const l1 = makeL1()
    for (let i = 0; i < 8; i++) l1.mine()
    const { reader, clock } = quorumOf([l1.reader(), forkOf(8).reader()])
    expect(await answered(clock, reader.head())).toEqual(await l1.reader().block(4))
  })

  test('gives an answer at once, without waiting for an endpoint that hangs', async () => {
    const { l1, reader, clock } = scene('hangs', 'honest', 'honest')
    const before = clock.nowMs()
    await answered(clock, reader.block(3))
    await answered(clock, reader.head())
    expect(clock.nowMs() - before).toBeLessThanOrEqual(1_000)
    expect(l1.head.number).toBe(8)
  })
})

describe('an endpoint that tells of a head and not which blocks are below it', () => {
  test.each<Fault>(['boasts and hangs', 'boasts and mumbles'])('does not delay the others: %s', async fault => {
    const { l1, reader, clock } = scene(fault, 'honest', 'slow')
    const before = clock.nowMs()
    expect(await answered(clock, reader.head())).toEqual(l1.head)
    expect((await answered(clock, reader.finalized())).number).toBe(l1.head.number - 3)
    expect(clock.nowMs() - before).toBeLessThanOrEqual(2_000)
  })

  test.each<Fault>(['boasts and hangs', 'boasts and mumbles'])(
    'does not decide while an honest one fails once: %s',
    async fault => {
      const { l1, reader: honest } = scene('honest')
      const clock = new VirtualClock(1_000_000)
      let failures = 1
      const flaky = { ...l1.reader(), head: () => (failures-- > 0 ? unreachable() : l1.reader().head()) }
      const { reader } = quorumOf([withFault(l1, fault, clock), l1.reader(), flaky], { clock })
      const before = clock.nowMs()
      expect(await answered(clock, reader.head())).toEqual(await honest.head())
      expect(clock.nowMs() - before).toBeLessThanOrEqual(12_000)
    },
  )
})

describe('without a quorum', () => {
  test('the error says who said what, and no key', async () => {
    const { reader, clock } = scene('fails', 'invents', 'honest')
    const failure = await answered(
      clock,
      reader.events({ from: 0, to: 8 }).catch(error => error),
    )
    expect(failure).toMatchObject({ name: 'L1Error', code: 'L1_NO_QUORUM' })
    expect(failure.data.said).toHaveLength(3)
    expect(failure.data.said[0]).toEqual({
      endpoint: 0,
      url: 'https://node-0.example/…',
      says: 'L1 does not answer: fetch https://rpc.example/… failed',
    })
    const digests = failure.data.said.slice(1).map(({ says }: { says: string }) => says)
    expect(new Set(digests).size).toBe(2)
    expect(JSON.stringify(failure.data)).not.toMatch(/hunter2|pw\d/)
  })

  test('the same events on different forks are different answers', async () => {
    const [one, other] = [makeL1(), makeL1()]
    for (const l1 of [one, other]) for (let i = 0; i < 5; i++) l1.mine()
    other.reorg({ depth: 2 })
    const { reader, clock } = quorumOf([one.reader(), other.reader()])
    expect(await answered(clock, reader.events({ from: 1, to: 3 }))).toEqual([])
    await expect(answered(clock, reader.events({ from: 1, to: 5 }))).rejects.toMatchObject({ code: 'L1_NO_QUORUM' })
    await expect(answered(clock, reader.events({ from: 1, to: 9 }))).rejects.toMatchObject({ code: 'L1_NO_QUORUM' })
  })

  test.each([
    [3, 1],
    [4, 2],
    [3, 4],
    [3, 1.6],
  ])('of %i endpoints a quorum of %i is refused', (size, quorum) => {
    const readers = Array.from({ length: size }, () => makeL1().reader())
    expect(() => quorumOf(readers, { quorum })).toThrow(InvariantError)
  })

  test('of blobs: the first endpoint that has them is enough', async () => {
    const l1 = makeL1()
    const blob = Uint8Array.of(1)
    const { reader, clock } = quorumOf([
      withFault(l1, 'fails'),
      { ...l1.reader(), blobs: async () => [blob] },
      withFault(l1, 'fails'),
    ])
    expect(await answered(clock, reader.blobs({ l1BlockNumber: 1, versionedHashes: [zeroHash] }))).toEqual([blob])
  })
})

describe('watching the endpoints', () => {
  test('one line when an endpoint begins to disagree, one when it agrees again for a while', async () => {
    const l1 = makeL1()
    l1.mine()
    let lying = true
    const inner = l1.reader()
    const liar: L1Reader = {
      ...inner,
      events: async range => (lying ? [await invented(inner, range.to)] : inner.events(range)),
    }
    const { reader, clock, lines, counts } = quorumOf([liar, inner, inner])
    for (let i = 0; i < 5; i++) await answered(clock, reader.events({ from: 0, to: 1 }))
    await clock.advance(10)
    lying = false
    for (let i = 0; i < 5; i++) {
      await answered(clock, reader.events({ from: 0, to: 1 }))
      await clock.advance(30_000)
    }
    expect(lines).toEqual([
      'an L1 endpoint disagrees with the others {"endpoint":0,"url":"https://node-0.example/…","what":"events of 0 to 1"}',
      'an L1 endpoint agrees again {"endpoint":0,"url":"https://node-0.example/…"}',
    ])
    expect(counts.get('disagreements_total 0')).toBe(5)
    expect(counts.get('disagreements_total 1')).toBeUndefined()
  })

  test('an endpoint that fails is left alone for a while, then asked again', async () => {
    const l1 = makeL1()
    let asked = 0
    let failing = true
    const inner = l1.reader()
    const flaky: L1Reader = {
      ...inner,
      block: number => {
        asked++
        return failing ? unreachable() : inner.block(number)
      },
    }
    const { reader, clock, counts } = quorumOf([flaky, inner, inner])
    for (let i = 0; i < 20; i++) await answered(clock, reader.block(0))
    await clock.advance(1)
    expect(asked).toBe(1)
    expect(counts.get('failures_total 0')).toBe(1)
    failing = false
    await clock.advance(1_000)
    for (let i = 0; i < 20; i++) await answered(clock, reader.block(0))
    expect(asked).toBe(21)
  })

  test('how far each endpoint is behind', async () => {
    const { reader, clock, counts } = scene('lags', 'honest', 'honest')
    await answered(clock, reader.head())
    expect([0, 1, 2].map(i => counts.get(`lag_blocks ${i}`))).toEqual([3, 0, 0])
  })
})

test('property: with an honest quorum no event is invented or lost, and answers keep coming, over reorgs', async () => {
  const fault = fc.constantFrom<Fault>(
    'honest',
    'slow',
    'fails',
    'hangs',
    'lags',
    'invents',
    'hides',
    'forks',
    'boasts',
    'boasts and hangs',
    'boasts and mumbles',
  )
  const step = fc.oneof(
    fc.record({ type: fc.constant('mine' as const), deposits: fc.nat(2) }),
    fc.record({ type: fc.constant('reorg' as const), depth: fc.integer({ min: 1, max: 3 }) }),
  )
  const schedule = fc.integer({ min: 1, max: 2 }).chain(faulty =>
    fc.record({
      faults: fc.array(fault, { minLength: faulty, maxLength: faulty }),
      place: fc.nat(2 * faulty),
      steps: fc.array(step, { minLength: 1, maxLength: 8 }),
    }),
  )
  await fc.assert(
    fc.asyncProperty(schedule, async ({ faults, place, steps }) => {
      const l1 = makeL1()
      for (let i = 0; i < 4; i++) l1.mine()
      const clock = new VirtualClock(1_000_000)
      const honest = faults.map(() => l1.reader()).concat(l1.reader())
      const readers = [
        ...honest.slice(0, place),
        ...faults.map(one => withFault(l1, one, clock)),
        ...honest.slice(place),
      ]
      const { reader } = quorumOf(readers, { clock })
      for (const one of steps) {
        if (one.type === 'reorg') l1.reorg({ depth: one.depth })
        else {
          for (let i = 0; i < one.deposits; i++) deposit(l1)
          l1.mine()
        }
        const head = await answered(clock, reader.head())
        expect(head).toEqual(l1.head)
        const range = { from: 0, to: head.number }
        expect(await answered(clock, reader.events(range))).toEqual(await l1.reader().events(range))
        expect((await answered(clock, reader.finalized())).number).toBe(l1.head.number - 3)
      }
    }),
    { numRuns: 150 },
  )
})
