import { describe, expect, it } from 'vitest'
import type { Outdated } from '../simulation/simulated-network.js'
import { UpgradeNetwork } from './upgrade-network.js'

const activation = 14
const last = activation - 1
const upgrades = [
  {
    version: 2,
    activationHeight: activation,
    parameters: { gasLimit: 30_060_000, emptyBlockIntervalMs: 400, batchBlocks: 5 },
  },
]
const found = async (...outdated: readonly (Outdated | null)[]): Promise<UpgradeNetwork> => {
  const net = new UpgradeNetwork({ upgrades, outdated })
  net.start(0, 1, 2, 3)
  await net.run(4_000)
  expect(Math.min(...net.heights())).toBeGreaterThan(2)
  expect(Math.max(...net.heights())).toBeLessThan(last)
  return net
}
/** Long enough for the heights up to the activation and many more. */
const pastActivationMs = 15_000

/** Every block is of the version of its height, and the new parameters hold from the activation on. */
function expectVersions(net: UpgradeNetwork): void {
  expect(net.blocks.length).toBeGreaterThan(activation + 5)
  const walk = [30_029_295, 30_058_619, 30_060_000]
  for (const { header, context } of net.blocks.slice(1)) {
    const since = header.number - activation
    expect(context.version).toBe(since < 0 ? 1 : 2)
    expect(header.gasLimit).toBe(since < 0 ? 30_000_000 : (walk[since] ?? 30_060_000))
  }
}

/** Milliseconds between the last two blocks. */
function lastIntervalMs({ blocks }: UpgradeNetwork): number {
  const [before, newest] = blocks.slice(-2)
  return newest!.context.timestampMs - before!.context.timestampMs
}

const allSign = (net: UpgradeNetwork) => expect(net.signersFrom(net.blocks.length - 8)).toEqual([0, 1, 2, 3])

describe('a network that upgrades at a height', () => {
  it('decides it and all after it by the new version, and no batch spans it', async () => {
    const net = await found(null, null, null, null)
    expect(net.explain(0).upgrade).toEqual({ version: 2, activationHeight: activation, known: true })
    await net.run(pastActivationMs)
    expectVersions(net)
    expect(lastIntervalMs(net)).toBeLessThan(500)
    allSign(net)
    expect(net.explain(0)).toMatchObject({ upgrade: null, notReadyToLead: [] })
    const { batcher } = net.nodes[0]!.services!
    const ends: number[] = []
    for (let index = 1; index <= batcher.latest(); index++) ends.push((await batcher.batch(index))!.header.lastBlock)
    expect(ends).toContain(last)
    for (const [i, end] of ends.entries()) if (end > last) expect(end - ends[i - 1]!).toBeLessThanOrEqual(5)
    expect(batcher.latestCertified()).toBeGreaterThanOrEqual(ends.indexOf(last) + 1)
    expect(net.problems()).toEqual([])
  })

  it('runs on nodes of two versions before it, while they are upgraded one at a time', async () => {
    const net = await found('file', 'software', 'file', 'software')
    for (const member of [0, 1, 2, 3]) {
      const before = Math.max(...net.heights())
      await net.upgrade(member)
      await net.run(1_500)
      expect(Math.max(...net.heights())).toBeGreaterThan(before)
    }
    expect(Math.max(...net.heights())).toBeLessThanOrEqual(last)
    await net.run(pastActivationMs)
    expectVersions(net)
    allSign(net)
    expect(net.problems()).toEqual([])
  })
})

describe.each<[string, Outdated]>([
  ['the network file of before', 'file'],
  ['the software of before', 'software'],
])('with %s', (_, lacks) => {
  it('one of four stops before the height and says why; upgraded, it comes back and signs', async () => {
    const net = await found(null, null, null, lacks)
    if (lacks === 'software') {
      expect(net.explain(3).upgrade).toEqual({ version: 2, activationHeight: activation, known: false })
      expect(net.logged).toContainEqual({
        node: 3,
        message: 'this node must be upgraded before the height at which an upgrade activates',
      })
    }
    expect(net.explain(3).notReadyToLead).toEqual([])
    await net.run(pastActivationMs)
    expectVersions(net)
    expect(net.heights()[3]).toBe(last)
    expect(net.signersFrom(activation)).toEqual([0, 1, 2])
    const { reason, sentences, notReadyToLead } = net.explain(3)
    expect(reason).toBe('PROTOCOL_VERSION_UNKNOWN')
    expect(sentences[0]).toContain(`This node must be upgraded before height ${activation}`)
    expect(notReadyToLead).toContain('PROTOCOL_VERSION_UNKNOWN')
    expect(net.problems()).toEqual([])
    await net.upgrade(3)
    await net.run(pastActivationMs)
    allSign(net)
    expect(net.explain(3).notReadyToLead).toEqual([])
    expect(net.problems()).toEqual([])
  })

  it('two of four halt the chain before the height, without a fork; it resumes as they come', async () => {
    const net = await found(null, null, lacks, lacks)
    await net.run(pastActivationMs)
    expect(net.heights()).toEqual([last, last, last, last])
    for (const member of [2, 3]) {
      const { reason, notReadyToLead } = net.explain(member)
      expect(reason).toBe('PROTOCOL_VERSION_UNKNOWN')
      expect(notReadyToLead).toContain('PROTOCOL_VERSION_UNKNOWN')
    }
    expect(net.explain(0).sentences.join(' ')).toContain('Protocol version 2 activates at this height')
    await net.upgrade(2)
    await net.run(pastActivationMs)
    expectVersions(net)
    expect(net.heights()[3]).toBe(last)
    await net.upgrade(3)
    await net.run(pastActivationMs)
    allSign(net)
    expect(net.problems()).toEqual([])
  })

  it('a node started again after the height is too old, and one that joins late with everything syncs across it', async () => {
    const net = new UpgradeNetwork({ upgrades, outdated: [null, null, null, lacks] })
    net.start(0, 1, 2)
    await net.run(2 * pastActivationMs)
    expect(Math.min(...net.heights().slice(0, 3))).toBeGreaterThan(activation)
    net.start(3)
    await net.run(5_000)
    expect(net.heights()[3]).toBe(last)
    expect(net.explain(3).reason).toBe('PROTOCOL_VERSION_UNKNOWN')
    await net.upgrade(3)
    await net.run(pastActivationMs)
    expectVersions(net)
    allSign(net)
    expect(net.problems()).toEqual([])
  })
})

it('a network that does not take an upgrade goes on without it, and the node that has it stops and says so', async () => {
  const net = await found(null, 'file', 'file', 'file')
  await net.run(pastActivationMs)
  expect(Math.min(...net.heights().slice(1))).toBeGreaterThan(activation)
  expect(net.heights()[0]).toBe(last)
  expect(net.blocks.every(({ context }) => context.version === 1)).toBe(true)
  expect(net.explain(0)).toMatchObject({ reason: 'PROTOCOL_VERSION_NOT_ADOPTED' })
  expect(net.problems()).toEqual([])
})
