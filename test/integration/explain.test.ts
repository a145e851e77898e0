import { describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { InvariantError } from '../../src/base/primitives/invariant.js'
import { ok, refuse } from '../../src/base/primitives/result.js'
import { pause } from '../../src/io/time/clock.js'
import {
  type NoBlockReason,
  noBlockReason,
  noBlockSentence,
} from '../../src/services/sequencer/explain/no-block-reason.js'
import { progressSentences } from '../../src/services/sequencer/explain/progress-sentences.js'
import { notReadyToLead } from '../../src/services/sequencer/explain/ready-to-lead.js'
import { Disk, TestConsensusNetwork, type TestNode } from './consensus-network.js'

async function running(size = 4): Promise<TestConsensusNetwork> {
  const net = new TestConsensusNetwork(size)
  for (let i = 0; i < size; i++) await net.start(i)
  await net.clock.advance(1_000)
  return net
}

const reasonOf = (node: TestNode): NoBlockReason => noBlockReason(node.facts())
const sentenceOf = (node: TestNode): string => noBlockSentence(reasonOf(node), node.facts())

/** Moves time by milliseconds until the node gives this reason; fails when it does not within the limit. */
async function untilReason(
  net: TestConsensusNetwork,
  node: TestNode,
  reason: NoBlockReason,
  limitMs = 10_000,
): Promise<string> {
  const seen = new Set<NoBlockReason>()
  for (let ms = 0; ms < limitMs; ms++) {
    if (reasonOf(node) === reason) return sentenceOf(node)
    seen.add(reasonOf(node))
    await net.clock.advance(1)
  }
  throw new InvariantError(`never ${reason} in ${limitMs} ms, but ${[...seen].join(', ')}`)
}

/** Moves time until the node's height in progress is led by the member, before its proposal. */
async function untilLed(net: TestConsensusNetwork, node: TestNode, proposer: number): Promise<void> {
  for (let ms = 0; ms < 5_000; ms++) {
    const { progress } = node.facts()
    if (progress.proposer === proposer && progress.step === 'new-height') return
    await net.clock.advance(1)
  }
  throw new InvariantError(`member ${proposer} never led`)
}

const numberOf = (id: string): number => Number(id.at(-1))

describe('why there is no block, brought about for real', () => {
  it('no work: the sentence says to the millisecond when the empty block comes', async () => {
    const net = await running()
    net.busy = false
    await net.clock.advance(1_000)
    const node = net.nodes.get(1)!
    const dueMs = node.head().context.timestampMs + net.parameters.emptyBlockIntervalMs - net.clock.nowMs()
    expect(reasonOf(node)).toBe('NO_WORK')
    expect(sentenceOf(node)).toBe(`No transactions wait, and the empty block is due in ${dueMs} ms.`)
    const before = node.height
    await net.clock.advance(dueMs - 1)
    expect(node.height).toBe(before)
    await net.clock.advance(50)
    expect(node.height).toBe(before + 1)
  })

  it('the least interval between blocks', async () => {
    const net = await running()
    expect(await untilReason(net, net.nodes.get(0)!, 'MIN_INTERVAL')).toMatch(/ends in \d+ ms/)
  })

  it('the proposer is down: its turn is passed over, and only the votes for that are waited for', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    await untilLed(net, node, 2)
    const { height } = node
    await net.crash(2)
    const seen = new Set<NoBlockReason>()
    while (node.height === height) {
      seen.add(reasonOf(node))
      await net.clock.advance(1)
    }
    expect([...seen]).not.toContain('PROPOSER_SILENT')
    expect(progressSentences(node.facts().progress).join(' ')).toContain(
      '75.0 % of the power is connected, a quorum. Not connected: member 2.',
    )
  })

  it('the proposer is connected and says nothing', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    await untilLed(net, node, 2)
    net.loses = ({ from, channel }) => numberOf(from) === 2 && channel === 'consensus'
    expect(await untilReason(net, node, 'WAITING_FOR_PROPOSAL')).toContain('Member 2')
    expect(await untilReason(net, node, 'PROPOSER_SILENT')).toContain('it is connected')
    const { progress } = node.facts()
    expect(progress.nowMs - progress.stepSinceMs).toBe(net.parameters.proposeTimeoutMs / 2)
    expect(progress.nextTimeout).toEqual({
      step: 'propose',
      dueMs: progress.stepSinceMs + net.parameters.proposeTimeoutMs,
    })
  })

  it('two of four are cut off, and come back', async () => {
    const net = await running()
    for (const here of [0, 1]) for (const there of [2, 3]) net.hub.setWire(`node-${here}`, `node-${there}`, false)
    await net.clock.advance(3_000)
    const stuck = net.heights()
    for (const index of [0, 1, 2, 3]) {
      const node = net.nodes.get(index)!
      expect(reasonOf(node)).toBe('NO_QUORUM_CONNECTED')
      expect(sentenceOf(node)).toContain(index < 2 ? 'members 2, 3 not connected' : 'members 0, 1 not connected')
      expect(notReadyToLead({ ...node.facts(), l1: { lastSuccessMs: net.clock.nowMs(), behind: 0 } })).toEqual([
        'NO_QUORUM_CONNECTED',
      ])
    }
    await net.clock.advance(5_000)
    expect(net.heights()).toEqual(stuck)
    for (const here of [0, 1]) for (const there of [2, 3]) net.hub.setWire(`node-${here}`, `node-${there}`, true)
    await net.clock.advance(5_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(Math.max(...stuck))
    expect(
      notReadyToLead({ ...net.nodes.get(0)!.facts(), l1: { lastSuccessMs: net.clock.nowMs(), behind: 0 } }),
    ).toEqual([])
  })

  it('prevotes are missing', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    await untilLed(net, node, 1)
    net.loses = ({ from, to }) => numberOf(from) >= 2 !== numberOf(to) >= 2
    expect(await untilReason(net, node, 'WAITING_FOR_PREVOTES')).toMatch(/members (1, )?2, 3 not heard/)
    await net.clock.advance(10)
    expect(sentenceOf(node)).toBe(
      'Prevotes are missing: members 2, 3 not heard, and 25.0 % of the power lacks to a quorum.',
    )
    const { prevotes } = node.facts().progress
    // Two of four need no check yet: nothing can follow from them.
    expect(prevotes.known.map(({ member, verified }) => [member, verified])).toEqual([
      [0, true],
      [1, false],
    ])
  })

  it('precommits are missing', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    net.loses = ({ to, channel }) =>
      channel === 'consensus' && numberOf(to) === 0 && node.facts().progress.step === 'precommit'
    expect(await untilReason(net, node, 'WAITING_FOR_PRECOMMITS')).toMatch(/members .* not heard/)
    const { progress } = node.facts()
    expect(progress.prevotes.quorumFor).toBe(progress.proposal!.blockHash)
    expect(progress.locked).toEqual({ round: 0, blockHash: progress.proposal!.blockHash })
  })

  it('votes are split', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    await untilLed(net, node, 1)
    await net.crash(3)
    net.judges = async index =>
      index === 2
        ? refuse({ reason: 'timestamp-not-timely', detail: '900 ms ahead', blame: 'own-view' })
        : ok(undefined)
    expect(await untilReason(net, node, 'VOTES_SPLIT')).toContain('not for the same value')
    expect(await untilReason(net, net.nodes.get(2)!, 'PROPOSAL_REFUSED')).toContain(
      'timestamp-not-timely, 900 ms ahead',
    )
    const { refusedProposals, height } = net.nodes.get(2)!.facts().progress
    expect(refusedProposals.at(-1)).toMatchObject({ height, reason: 'timestamp-not-timely', blame: 'own-view' })
  })

  it('the block of a quorum has not come', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    await untilLed(net, node, 1)
    // Proposals are the only large messages.
    net.loses = ({ to, channel, bytes }) => channel === 'consensus' && numberOf(to) === 0 && bytes > 600
    expect(await untilReason(net, node, 'BLOCK_MISSING')).toMatch(/^A quorum voted for block 0x/)
  })

  it('execution is busy with a proposal, or with building one', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    await untilLed(net, node, 1)
    net.judges = async index => {
      if (index === 0) await pause(net.clock, 300)
      return ok(undefined)
    }
    expect(await untilReason(net, node, 'EXECUTION_BUSY')).toContain('it is to check a proposal')
    net.judges = async () => ok(undefined)
    net.builds = () => pause(net.clock, 300)
    await untilLed(net, node, 0)
    await net.clock.advance(150)
    expect(sentenceOf(node)).toMatch(/busy for \d+ ms: it is to build a proposal/)
  })

  it('the proposer cannot build', async () => {
    const net = await running()
    const node = net.nodes.get(0)!
    net.builds = async index => {
      if (index === 0) throw new InvariantError('the execution thread died')
    }
    expect(await untilReason(net, node, 'BUILD_FAILED')).toContain('the execution thread died')
  })

  it('the signer refuses, as after a restored backup', async () => {
    const net = await running()
    const height = net.nodes.get(3)!.height
    await net.crash(3)
    const disk = new Disk()
    const ahead = { height: height + 1_000, round: 0, digest: `0x${'12'.repeat(32)}` as const }
    await disk.record.save({ ...disk.record.load(), prevote: ahead, precommit: ahead })
    net.disks.set(3, disk)
    const node = await net.start(3)
    await net.clock.advance(2_000)
    expect(await untilReason(net, node, 'SIGNER_REFUSES')).toContain('before the last signed position')
    expect(notReadyToLead({ ...node.facts(), l1: { lastSuccessMs: net.clock.nowMs(), behind: 0 } })).toEqual([
      'SIGNER_REFUSES',
    ])
    expect(node.facts().progress.refusedSignatures.at(-1)).toMatchObject({ kind: 'vote', code: 'BELOW_RECORD' })
    expect(node.facts().progress.refusedSignatures.length).toBeLessThanOrEqual(32)
  })

  it('this node is behind, until it has caught up', async () => {
    const net = await running()
    await net.crash(3)
    await net.clock.advance(10_000)
    net.loses = ({ channel }) => channel === 'block-range'
    const node = await net.start(3)
    await net.clock.advance(500)
    expect(reasonOf(node)).toBe('SYNCING')
    const { behind } = node.facts()
    expect(behind).toBeGreaterThan(5)
    expect(sentenceOf(node)).toContain(`${behind} blocks behind`)
    net.loses = () => false
    await net.clock.advance(15_000)
    expect(node.facts().behind).toBeLessThanOrEqual(1)
    expect(reasonOf(node)).not.toBe('SYNCING')
  })

  it('this node is not in the set', async () => {
    const net = await running()
    net.keys.push(BlsSecretKey.fromSeed(new Uint8Array(32).fill(99)))
    const node = await net.start(4)
    await net.clock.advance(3_000)
    expect(reasonOf(node)).toBe('NOT_IN_SET')
    expect(net.problems()).toEqual([])
  })
})
