import { describe, expect, it } from 'vitest'
import { aggregateSignatures } from '../../src/base/crypto/bls.js'
import type { BlockHash } from '../../src/base/primitives/hashes.js'
import {
  decodeConsensusMessage,
  encodeConsensusMessage,
  type OutgoingConsensusMessage,
} from '../../src/base/protocol/consensus-message.js'
import { proposalDigest } from '../../src/base/protocol/proposal.js'
import { prevote, type Vote, voteDigest } from '../../src/base/protocol/vote.js'
import { domain, makeBlock, TestConsensusNetwork } from './consensus-network.js'

/** A network of which the last members are enemies, each with its key on the wires, brought to the height that the first of them leads. */
async function networkWith(enemies: number, size: number) {
  const net = new TestConsensusNetwork(size)
  const honest = Array.from({ length: size - enemies }, (_, i) => i)
  const lead = honest.length
  const wires = new Map(
    Array.from({ length: enemies }, (_, i) => {
      const index = lead + i
      return [index, net.hub.join({ id: `node-${index}`, consensusKey: net.keys[index]!.publicKey() })]
    }),
  )
  for (const i of honest) await net.start(i)
  const say = (from: number, to: number, message: OutgoingConsensusMessage) =>
    wires.get(from)!.send(`node-${to}`, 'consensus', encodeConsensusMessage(message))
  // A member that says nothing would be passed over as down.
  while (Math.min(...net.heights()) < lead - 1) {
    for (const [from] of wires)
      for (const to of honest)
        say(from, to, { kind: 'status', height: net.nodes.get(to)!.height + 1, round: 0, hasProposal: true })
    await net.clock.advance(5)
  }
  const height = lead
  const parent = net.nodes.get(0)!.head()
  const propose = (laterMs: number) => {
    const block = makeBlock({ parent, timestampMs: parent.context.timestampMs + laterMs, proposerIndex: lead })
    const content = { height, round: 0, validRound: -1 as const, blockHash: block.hash }
    const signature = net.keys[lead]!.sign(proposalDigest(domain, content))
    return { kind: 'proposal' as const, block, proposal: { ...content, proposer: lead, signature } }
  }
  const voteOf = (member: number, blockHash: BlockHash): Vote => {
    const content = { height, round: 0, step: prevote, blockHash }
    const signature = net.keys[member]!.sign(voteDigest(domain, content))
    return { ...content, member, signature, extension: new Uint8Array(0) }
  }
  /** Prevotes of this height that an enemy hears. */
  const heard: Vote[] = []
  wires.get(lead)!.onMessage('consensus', (_from, bytes) => {
    const message = decodeConsensusMessage(bytes)
    if (message.kind !== 'votes') return
    for (const vote of message.votes) if (vote.height === height && vote.step === prevote) heard.push(vote)
  })
  return { net, honest, lead, height, say, propose, voteOf, heard }
}

/** Nobody is sent the enemies' votes but one honest node, which locks by them; then they are silent, and it alone can tell. */
describe('votes that only one honest node counted reach the others, so that the network goes on', () => {
  it('in a sum with a false claim, that overlaps with a sum of another node', async () => {
    const { net, lead, height, say, propose, voteOf, heard } = await networkWith(1, 4)
    const [one, two] = [propose(100), propose(101)]
    for (const to of [0, 2]) say(lead, to, one)
    say(lead, 1, two)
    const ofTwo = () => heard.find(({ member, blockHash }) => member === 2 && blockHash === one.block.hash)
    for (let ms = 0; ms < 100 && !ofTwo(); ms++) await net.clock.advance(1)
    const own = voteOf(lead, one.block.hash)
    const claimed = { ...own, signature: net.keys[lead]!.sign(new Uint8Array(32).fill(9)) }
    const signature = aggregateSignatures([ofTwo()!.signature, own.signature])
    say(lead, 0, { kind: 'aggregate', aggregate: { votes: [ofTwo()!, claimed], signature } })
    await net.clock.advance(10_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(height + 3)
    expect(net.problems()).toEqual([])
  })

  it('in a sum that an enemy brought to the others too, behind a forged vote', async () => {
    const { net, lead, height, say, propose, voteOf, heard } = await networkWith(1, 4)
    const [one, two] = [propose(100), propose(101)]
    // The honest do not hear one another until the enemy's sum is there.
    net.loses = ({ from, to }) => ![from, to].includes(`node-${lead}`)
    for (const to of [0, 2]) say(lead, to, one)
    say(lead, 1, two)
    const of = (member: number) => heard.find(vote => vote.member === member && vote.blockHash === one.block.hash)
    for (let ms = 0; ms < 100 && !(of(0) && of(2)); ms++) await net.clock.advance(1)
    const votes = [of(0)!, of(2)!, voteOf(lead, one.block.hash)]
    const signature = aggregateSignatures(votes.map(vote => vote.signature))
    const sum = { kind: 'aggregate', aggregate: { votes, signature } } as const
    const forged = { ...voteOf(lead, two.block.hash), signature: net.keys[lead]!.sign(new Uint8Array(32).fill(9)) }
    for (const to of [1, 2]) {
      say(lead, to, { kind: 'votes', votes: [forged] })
      say(lead, to, sum)
    }
    say(lead, 0, sum)
    await net.clock.advance(2)
    net.loses = () => false
    await net.clock.advance(10_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(height + 3)
    expect(net.problems()).toEqual([])
  })

  it('in a sum that comes after more sums for nothing than are taken of anybody', async () => {
    const { net, lead, height, say, propose, voteOf, heard } = await networkWith(2, 7)
    const [locks, other] = [4, lead + 1]
    const enemiesFor = (blockHash: BlockHash) => [lead, other].map(member => voteOf(member, blockHash))
    const sumOf = (votes: readonly Vote[]) => {
      const signature = aggregateSignatures(votes.map(vote => vote.signature))
      return { kind: 'aggregate', aggregate: { votes, signature } } as const
    }
    for (let i = 1; i <= 7; i++) say(lead, locks, sumOf(enemiesFor(`0x${`c${i}`.repeat(32)}` as BlockHash)))
    const [one, two] = [propose(100), propose(101)]
    for (const to of [0, 1, 2]) say(lead, to, one)
    for (const to of [3, locks]) say(lead, to, two)
    const ofOne = () =>
      heard.filter(({ blockHash }) => blockHash === one.block.hash).sort((x, y) => x.member - y.member)
    for (let ms = 0; ms < 100 && ofOne().length < 3; ms++) await net.clock.advance(1)
    await net.clock.advance(5)
    say(other, locks, sumOf([...ofOne(), ...enemiesFor(one.block.hash)]))
    say(lead, locks, one)
    await net.clock.advance(10_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(height + 3)
    expect(net.problems()).toEqual([])
  })

  it('where others counted double votes as a quorum that is none', async () => {
    const { net, honest, lead, height, say, propose, voteOf } = await networkWith(2, 7)
    const blind = 0
    const enemies = [lead, lead + 1]
    const slow = honest.at(-1)!
    net.signingMs = index => (index === slow ? 5 : 0)
    const [one, two] = [propose(100), propose(101)]
    say(lead, blind, two)
    for (const enemy of enemies)
      say(enemy, blind, { kind: 'votes', votes: [voteOf(enemy, two.block.hash), voteOf(enemy, one.block.hash)] })
    for (const to of honest) if (to !== blind) say(lead, to, one)
    await net.clock.advance(20)
    for (const to of honest) if (to !== blind) say(lead, to, { kind: 'votes', votes: [voteOf(lead, one.block.hash)] })
    await net.clock.advance(20_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(height + 3)
    expect(net.problems()).toEqual([])
  })
})
