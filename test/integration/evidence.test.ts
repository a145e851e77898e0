import { describe, expect, it } from 'vitest'
import { hexToBytes } from '../../src/base/primitives/bytes.js'
import { zeroHash } from '../../src/base/primitives/hashes.js'
import { encodeConsensusMessage } from '../../src/base/protocol/consensus-message.js'
import { decodeEvidence, duplicateVote, encodeEvidenceMessage } from '../../src/base/protocol/evidence.js'
import type { Proposal } from '../../src/base/protocol/proposal.js'
import { precommit, prevote, type Vote, type VoteStep, voteDigest } from '../../src/base/protocol/vote.js'
import type { VoteAggregate } from '../../src/base/protocol/vote-aggregate.js'
import { RpcArguments } from '../../src/io/execution/embedded/queries/rpc-argument.js'
import type { AppendLog } from '../../src/io/storage/append-log.js'
import { MemoryStore } from '../../src/io/storage/memory-store.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'
import { silentMetrics } from '../../src/io/telemetry/metrics.js'
import { verifyEvidence } from '../../src/rules/consensus/evidence.js'
import { investigate } from '../../src/rules/consensus/forensics.js'
import { verifyMessages } from '../../src/rules/consensus/signed-messages.js'
import { morphismMethods } from '../../src/services/rpc/methods/morphism-methods.js'
import type { MorphismQueries } from '../../src/services/rpc/morphism-queries.js'
import { EvidencePool } from '../../src/services/sequencer/evidence-pool.js'
import { defaultAggregation } from '../../src/services/sequencer/votes/near-aggregator.js'
import { decodeWalRecord, isInput } from '../../src/services/sequencer/wal/wal-record.js'
import { domain, TestConsensusNetwork, type TestNode } from './consensus-network.js'

const liar = 3
/** Every vote goes by an aggregator. */
const aggregating = { ...defaultAggregation, leastMembers: 4 }

async function running(size = 4, aggregation = defaultAggregation): Promise<TestConsensusNetwork> {
  const net = new TestConsensusNetwork(size)
  net.aggregation = aggregation
  for (let i = 0; i < size; i++) await net.start(i)
  return net
}

function signedBy(
  net: TestConsensusNetwork,
  member: number,
  { height, step }: { height: number; step: VoteStep },
): Vote {
  const content = { height, round: 0, step, blockHash: zeroHash }
  const signature = net.keys[member]!.sign(voteDigest(domain, content))
  return { ...content, member, signature, extension: new Uint8Array(0) }
}

/** Sends votes for nil with the liar's key for the heights to come, beside those that its node signs for blocks. */
function doubleVote(net: TestConsensusNetwork, step: VoteStep): void {
  const { wires } = net.nodes.get(liar)!
  const front = Math.max(...net.heights())
  for (let height = front + 1; height <= front + 2; height++)
    for (const peer of wires.peers()) {
      const message = { kind: 'votes' as const, votes: [signedBy(net, liar, { height, step })] }
      wires.send(peer.id, 'consensus', encodeConsensusMessage(message))
    }
}

/** What `morphism_evidence` of the node answers, decoded and judged. */
async function servedBy(net: TestConsensusNetwork, node: TestNode) {
  const morphism = { evidence: async filter => node.evidence!.list(filter) } as Pick<MorphismQueries, 'evidence'>
  const methods = morphismMethods({
    morphism: morphism as MorphismQueries,
    mempool: { fate: () => null },
    ask: { value: async () => null, within: (_context, ask) => ask({}) },
  })
  const answer = await methods.morphism_evidence!({ args: new RpcArguments([]), context: {} } as never)
  return (answer as { raw: string }[]).map(({ raw }) => {
    const verdict = verifyEvidence({ evidence: decodeEvidence(hexToBytes(raw)), set: net.set, domain })
    return verdict.ok ? verdict.value.index : verdict.error
  })
}

/** The signed messages in a log, by height. */
async function loggedOf(wal: AppendLog) {
  const byHeight = new Map<
    number,
    { votes: Vote[]; aggregates: VoteAggregate[]; proposals: Proposal[]; certificates: [] }
  >()
  for (const { height, input } of (await wal.readAll()).map(decodeWalRecord).filter(isInput)) {
    const found = byHeight.get(height) ?? { votes: [], aggregates: [], proposals: [], certificates: [] }
    byHeight.set(height, found)
    if (input.type === 'votes') found.votes.push(...input.votes)
    if (input.type === 'aggregate') found.aggregates.push(input.aggregate)
    if (input.type === 'proposal') found.proposals.push(input.proposal)
  }
  return byHeight
}

describe('evidence against a sequencer that votes twice, in virtual time', () => {
  it.each([
    ['prevotes', prevote],
    ['precommits', precommit],
  ] as const)('is found, served by every node, and still there after all restart: %s', async (_, step) => {
    const net = await running()
    await net.clock.advance(1_000)
    for (let i = 0; i < 10; i++) {
      doubleVote(net, step)
      await net.clock.advance(100)
    }
    await net.clock.advance(1_000)
    for (const node of net.nodes.values()) {
      const served = await servedBy(net, node)
      expect(served.length).toBeGreaterThan(0)
      expect(new Set(served)).toEqual(new Set([liar]))
    }
    const before = new Map([...net.nodes].map(([index, node]) => [index, node.evidence!.list().length]))
    for (const index of before.keys()) await net.crash(index)
    for (const [index, count] of before) {
      const node = await net.start(index)
      expect(node.evidence!.list().length).toBe(count)
      expect(new Set(await servedBy(net, node))).toEqual(new Set([liar]))
    }
    expect(net.problems()).toEqual([])
  })

  it.each([
    ['vote by vote', defaultAggregation],
    ['by aggregates', aggregating],
  ])('is found offline too, in the log of one node, and nobody else is: %s', async (_, aggregation) => {
    const net = await running(4, aggregation)
    await net.clock.advance(1_000)
    for (let i = 0; i < 10; i++) {
      doubleVote(net, prevote)
      await net.clock.advance(100)
    }
    const named = new Set<number>()
    let aggregates = 0
    for (const { disk } of net.nodes.values())
      for (const [height, messages] of await loggedOf(disk.wal)) {
        aggregates += messages.aggregates.length
        const verified = verifyMessages({ height, messages, set: net.set, domain })
        expect(verified.refused).toBe(0)
        const report = investigate({ height, messages: verified, set: net.set, isComplete: true })
        for (const { member } of report.culprits) named.add(member)
      }
    expect(named).toEqual(new Set([liar]))
    expect(aggregates).toBeGreaterThan(0)
  })

  it('reaches a node that was away and a full node', async () => {
    const net = await running()
    await net.clock.advance(500)
    await net.crash(2)
    const full = await EvidencePool.open({
      domain,
      ports: {
        store: new MemoryStore(),
        network: net.hub.join({ id: 'full' }),
        setOf: () => net.set,
        clock: net.clock,
        logger: silentLogger,
        metrics: silentMetrics,
      },
    })
    for (let i = 0; i < 10; i++) {
      doubleVote(net, prevote)
      await net.clock.advance(200)
    }
    const back = await net.start(2)
    expect(back.evidence!.list()).toEqual([])
    await net.clock.advance(1_000)
    expect(new Set(await servedBy(net, back))).toEqual(new Set([liar]))
    expect(full.list().map(({ publicKey }) => publicKey)).toContainEqual(net.keys[liar]!.publicKey())
    expect(net.problems()).toEqual([])
  })

  it('that is false costs its sender the connection and is not kept', async () => {
    const net = await running()
    await net.clock.advance(500)
    const sender = net.nodes.get(liar)!.wires
    const nil = signedBy(net, liar, { height: 1, step: prevote })
    const framed = { ...nil, member: 0, signature: nil.signature }
    const evidence = duplicateVote(framed, { ...framed, blockHash: `0x${'11'.repeat(32)}` as const })
    sender.send('node-1', 'evidence', encodeEvidenceMessage([evidence]))
    sender.send('node-2', 'evidence', Uint8Array.of(1, 2, 3))
    await net.clock.advance(10)
    expect(sender.peers().map(peer => peer.id)).toEqual(['node-0'])
    for (const node of net.nodes.values()) expect(node.evidence!.list()).toEqual([])
  })
})
