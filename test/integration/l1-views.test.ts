import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { zeroHash } from '../../src/base/primitives/hashes.js'
import { nextRollingHash } from '../../src/base/protocol/l1-message.js'
import type { L1Event, L1Reader } from '../../src/io/l1/l1-client.js'
import { L1Error } from '../../src/io/l1/l1-error.js'
import { createQuorumL1Reader } from '../../src/io/l1/quorum/quorum-l1-reader.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'
import { silentMetrics } from '../../src/io/telemetry/metrics.js'
import { pause } from '../../src/io/time/clock.js'
import { alice, L1ViewsNetwork, mallory } from './l1-views-network.js'

let net: L1ViewsNetwork
beforeEach(async () => {
  net = await L1ViewsNetwork.start()
})
afterEach(() => net.stop())

const answering = (answer: () => Promise<never>) =>
  Object.fromEntries(Object.keys(net.l1.reader()).map(name => [name, answer])) as unknown as L1Reader
const failing = () =>
  answering(async () => {
    throw new L1Error('L1_UNREACHABLE', 'L1 does not answer')
  })
/** Every request ends by its time limit. */
const hanging = () =>
  answering(async () => {
    await pause(net.clock, 10_000)
    throw new L1Error('L1_UNREACHABLE', 'no answer within 10 s')
  })

/** An endpoint that is so many blocks behind. */
function lagging(behind: () => number): L1Reader {
  const inner = net.l1.reader()
  const last = () => Math.max(0, net.l1.head.number - behind())
  return {
    ...inner,
    head: async () => (await inner.block(last()))!,
    block: async number => (number > last() ? null : inner.block(number)),
    events: ({ from, to }) => inner.events({ from, to: Math.min(to, last()) }),
  }
}

/** Right blocks, and each new deposit is a fortune for mallory. */
function lying(): L1Reader {
  const inner = net.l1.reader()
  return {
    ...inner,
    async events({ from, to }) {
      const all = await inner.events({ from: 0, to })
      let rollingHash = zeroHash
      return all.flatMap((event): L1Event[] => {
        if (event.type !== 'message') return event.l1BlockNumber < from ? [] : [event]
        const isNew = event.message.l1BlockNumber >= from
        const message = isNew ? { ...event.message, to: mallory, amount: 10n ** 24n } : event.message
        rollingHash = nextRollingHash(rollingHash, message)
        return isNew ? [{ ...event, message, rollingHash }] : []
      })
    },
  }
}

/** No node gave up or minted what L1 does not hold, and all that decided one height decided the same. */
async function expectSafe(): Promise<void> {
  for (const node of net.nodes) {
    expect(node.failures).toEqual([])
    expect(await node.balance(mallory)).toBe(0n)
    expect(await node.balance(alice)).toBeLessThanOrEqual(net.deposited())
  }
  const lowest = Math.min(...net.nodes.map(node => node.height))
  const hashes = await Promise.all(net.nodes.map(node => node.execution.blockAt(lowest)))
  expect(new Set(hashes.map(block => block!.hash)).size).toBe(1)
}

/** All nodes have minted the deposits of L1 but those of its newest blocks. */
async function expectDeposits(nodes = net.nodes): Promise<void> {
  for (const node of nodes) expect(await node.balance(alice)).toBeGreaterThanOrEqual(net.deposited(3))
}

describe('one of four sequencers, whose L1 endpoint', () => {
  it.each<[string, () => L1Reader]>([
    ['is honest', () => net.l1.reader()],
    ['lags three blocks', () => lagging(() => 3)],
    ['lags thirty blocks', () => lagging(() => 30)],
    ['is on a fork', () => net.forkOff().reader()],
    ['fails', failing],
    ['never answers', hanging],
    ['invents deposits', lying],
  ])('%s: all mint the deposits of L1 in time, and it is well once its endpoint is', async (what, endpoint) => {
    const [patient] = net.nodes
    patient!.l1 = endpoint()
    await net.run(12)
    await expectSafe()
    await expectDeposits()
    expect(net.nodes.flatMap(node => node.refusals()).length > 0).toBe(what !== 'is honest')
    expect(patient!.contradictions().length > 0).toBe(what === 'is on a fork' || what === 'invents deposits')
    expect(net.nodes.slice(1).flatMap(node => node.contradictions())).toEqual([])
    expect((patient!.gauges.get('morphism_l1_unconfirmed_blocks') ?? 0) > 0).toBe(what !== 'is honest')
    patient!.l1 = net.l1.reader()
    await net.run(15)
    await expectSafe()
    await expectDeposits()
    expect(patient!.services.follower.head()!.number).toBeGreaterThanOrEqual(net.l1.head.number - 1)
    for (const node of net.nodes) node.warnings.length = 0
    await net.run(4)
    expect(net.nodes.flatMap(node => node.refusals())).toEqual([])
    for (const node of net.nodes) expect(node.gauges.get('morphism_l1_unconfirmed_blocks')).toBe(0)
  })
})

describe('two of four sequencers', () => {
  it('that see each L1 block 300 ms later than the others vote for its deposits all the same', async () => {
    const late = () => (net.clock.nowMs() % 1_000 < 300 ? 1 : 0)
    for (const node of net.nodes.slice(0, 2)) node.l1 = lagging(late)
    await net.run(10)
    await expectSafe()
    await expectDeposits()
    expect(net.nodes.flatMap(node => node.refusals())).toEqual([])
  })

  it('whose endpoints invent deposits get none of them into a block', async () => {
    for (const node of net.nodes.slice(0, 2)) node.l1 = lying()
    await net.run(12)
    await expectSafe()
    for (const node of net.nodes) node.l1 = net.l1.reader()
    await net.run(20)
    await expectSafe()
    await expectDeposits()
  })
})

describe('all four sequencers', () => {
  it.each([
    ['fails', failing],
    ['hangs', hanging],
  ])('make blocks while L1 %s, and mint what waited there when it is back', async (_, endpoint) => {
    for (const node of net.nodes) node.l1 = endpoint()
    const before = net.nodes[0]!.height
    await net.run(21)
    // An empty block every five seconds.
    for (const node of net.nodes) expect(node.height).toBeGreaterThanOrEqual(before + 4)
    await expectSafe()
    for (const node of net.nodes) node.l1 = net.l1.reader()
    await net.run(25)
    await expectSafe()
    await expectDeposits()
  })

  it('whose three endpoints each hold a liar are not misled by it', async () => {
    const ports = { clock: net.clock, logger: silentLogger, metrics: silentMetrics }
    const liars = [lying, failing, () => net.forkOff().reader(), lying]
    net.nodes.forEach((node, i) => {
      const readers = [net.l1.reader(), liars[i]!(), net.l1.reader()]
      const endpoints = readers.map((reader, at) => ({ url: `http://127.0.0.1:${at + 1}`, reader }))
      node.l1 = createQuorumL1Reader({ config: {}, ports: { ...ports, endpoints } })
    })
    await net.run(12)
    await expectSafe()
    await expectDeposits()
    expect(net.nodes.flatMap(node => node.refusals())).toEqual([])
    for (const node of net.nodes) expect(node.services.follower.health().error).toBeNull()
  })
})

describe('a sequencer that was away', () => {
  it.each<[string, () => L1Reader]>([
    ['lags', () => lagging(() => 30)],
    ['is on a fork', () => net.forkOff().reader()],
    ['invents deposits', lying],
  ])('and whose endpoint %s waits instead of taking wrong deposits, and catches up later', async (_, endpoint) => {
    const [away, ...others] = net.nodes
    const wires = (isWhole: boolean) => {
      for (const i of [1, 2, 3]) net.hub.setWire('node-0', `node-${i}`, isWhole)
    }
    wires(false)
    away!.l1 = endpoint()
    const before = away!.height
    await net.run(6)
    wires(true)
    await net.run(6)
    expect(others[0]!.height).toBeGreaterThan(before + 5)
    expect(away!.height).toBeLessThan(others[0]!.height)
    await expectSafe()
    await expectDeposits(others)
    away!.l1 = net.l1.reader()
    await net.run(15)
    await expectSafe()
    await expectDeposits()
  })
})
