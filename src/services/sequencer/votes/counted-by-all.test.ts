import fc from 'fast-check'
import { expect, it } from 'vitest'
import { aggregateSignatures } from '../../../base/crypto/bls.js'
import type { BlockHash } from '../../../base/primitives/hashes.js'
import { zeroHash } from '../../../base/primitives/hashes.js'
import { devnetParameters } from '../../../base/protocol/protocol-parameters.js'
import { prevote, type Vote } from '../../../base/protocol/vote.js'
import { inlineSignatureVerifier } from '../../../io/keys/signature-verifier.js'
import { createConsensusCore } from '../../../rules/consensus/core.js'
import { proposerOf } from '../../../rules/consensus/proposer-rotation.js'
import { asVerified } from '../../../rules/consensus/verified.js'
import { type Bearer, VoteDoor } from './vote-door.js'
import { a, b, domain, height, set, vote } from './votes.fixture.js'

// Of seven members 5 and 6 are enemies; nodes 0 and 1 are those of two honest members.
const honest = [0, 1, 2, 3, 4]
const enemies = [5, 6]
const junk = Array.from({ length: 7 }, (_, i) => `0x${`c${i}`.repeat(32)}` as BlockHash)
const values: readonly BlockHash[] = [a, b, zeroHash, ...junk]
const settled = () => new Promise<void>(resolve => setImmediate(resolve))
const bearerOf = (member: number): Bearer => ({ id: `peer-${member}`, member })

/** Door and core of one node, as the engine joins them. */
class Node {
  readonly core
  private readonly door: VoteDoor
  constructor(readonly self: number) {
    const core = createConsensusCore({ self, parameters: devnetParameters })
    core.step({ type: 'start-height', height, set })
    this.core = core
    this.door = new VoteDoor(
      {
        verifier: inlineSignatureVerifier,
        domain,
        onVerified: votes => core.step({ type: 'votes', votes }),
        onAggregate: aggregate => core.step({ type: 'aggregate', aggregate }),
        counted: core,
        onForged: () => {},
        onFailure: error => expect.fail(String(error)),
      },
      set,
      height,
    )
  }

  propose(blockHash: BlockHash): void {
    const proposal = { height, round: 0, validRound: -1 as const, blockHash, proposer: proposerOf(set, height, 0) }
    this.core.step({ type: 'proposal', proposal: asVerified({ ...proposal, signature: new Uint8Array(96) }) })
    this.core.step({ type: 'validated', height, blockHash, valid: true })
  }

  countOwn(own: Vote): void {
    this.door.countChecked(own, 0)
    this.core.step({ type: 'votes', votes: [asVerified(own)] })
  }

  take(message: Said): void {
    if (message.votes.length === 1) return this.door.take(message.votes[0]!, bearerOf(message.by), 0)
    const { votes, signature } = message
    this.door.takeAggregate({ votes, signature }, bearerOf(message.by), 0)
  }

  /** Sends what a peer may lack. */
  help(other: Node): void {
    const { proposals, prevotes, aggregates } = this.core.messagesOf(height, 0)
    for (const { blockHash } of proposals) other.propose(blockHash)
    for (const { votes, signature } of aggregates) other.take({ votes, signature, by: this.self })
    for (const one of prevotes) other.take({ votes: [one], signature: one.signature, by: this.self })
  }

  quorums(): BlockHash[] {
    return values.filter(blockHash => this.core.hasQuorumFor({ height, round: 0, step: prevote, blockHash }))
  }
}

/** One vote, or several as a sum, and who brings them. */
interface Said {
  readonly votes: readonly Vote[]
  readonly signature: Uint8Array
  readonly by: number
}

const valueDrawn = fc.constantFrom(0, 0, 0, 1, 2).map(i => values[i]!)
const bearing = { to: fc.constantFrom(0, 1), by: fc.constantFrom(...enemies), afterHonest: fc.nat(honest.length) }
/** What the honest say once each; enemies say anything, alone or in sums with others, with true claims or false ones. */
const scene = fc.record({
  honestValues: fc.array(valueDrawn, { minLength: honest.length, maxLength: honest.length }),
  says: fc.array(
    fc.record({
      ...bearing,
      value: fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 4).map(i => values[i]!),
      members: fc.oneof(
        fc.uniqueArray(fc.constantFrom(...honest, ...enemies), { minLength: 1, maxLength: 4 }),
        fc.constant([...honest, ...enemies]),
      ),
      isClaimTrue: fc.boolean(),
      isForged: fc.constantFrom(true, ...Array<boolean>(7).fill(false)),
      /** Whether the next comes while this one is checked. */
      isFollowed: fc.boolean(),
    }),
    { maxLength: 16 },
  ),
  /** Who brings sums for as much junk as is taken of anybody, to whom. */
  floods: fc.array(fc.record(bearing), { maxLength: 1 }),
  /** After whose vote the one node helps the other. */
  helps: fc.array(fc.record({ by: fc.constantFrom(0, 1), afterHonest: fc.nat(honest.length) }), { maxLength: 3 }),
  proposedTo: fc.array(fc.constantFrom(0, 1, null), { minLength: 2, maxLength: 2 }),
})

it('a value that has its quorum of prevotes at one honest node has it at another one, once it was helped', async () => {
  const signed = new Map<string, Vote>()
  const voteOf = (member: number, blockHash: BlockHash) => {
    const made = signed.get(`${member}/${blockHash}`) ?? vote(member, { blockHash })
    signed.set(`${member}/${blockHash}`, made)
    return made
  }
  const noSignature = vote(5, { round: 900 }).signature
  let quorums = 0
  await fc.assert(
    fc.asyncProperty(scene, async ({ honestValues, says, floods, helps, proposedTo }) => {
      const nodes = [new Node(0), new Node(1)] as const
      const proposed = [a, b]
      for (const [i, to] of proposedTo.entries()) if (to !== null) nodes[to]!.propose(proposed[i]!)
      const sumOf = (members: readonly number[], blockHash: BlockHash) => {
        const votes = members.map(member => voteOf(member, blockHash))
        return { votes, signature: aggregateSignatures(votes.map(({ signature }) => signature)) }
      }
      const help = async (by: number) => {
        nodes[by]!.help(nodes[1 - by]!)
        for (let i = 0; i < 4; i++) await settled()
      }
      const enemiesSay = async (moment: number) => {
        for (const { to, by, afterHonest } of floods)
          if (afterHonest === moment) for (const value of junk) nodes[to]!.take({ ...sumOf(enemies, value), by })
        for (const { to, by, value, members, isClaimTrue, isForged, afterHonest, isFollowed } of says) {
          if (afterHonest !== moment) continue
          // Nobody has a signature of an honest member that it did not give.
          const signers = members.filter(member => enemies.includes(member) || honestValues[member] === value).sort()
          if (signers.length === 0) continue
          const { votes, signature } = sumOf(signers, value)
          const claim = (one: Vote) => ({ ...one, signature: noSignature })
          const claimed = isForged || (votes.length > 1 && !isClaimTrue) ? votes.map(claim) : votes
          nodes[to]!.take({ votes: claimed, signature: isForged ? noSignature : signature, by })
          if (!isFollowed) await settled()
        }
        for (const { by, afterHonest } of helps) if (afterHonest === moment) await help(by)
      }
      await enemiesSay(0)
      for (const member of honest) {
        const own = voteOf(member, honestValues[member]!)
        for (const node of nodes) {
          if (node.self === member) node.countOwn(own)
          else node.take({ votes: [own], signature: own.signature, by: member })
        }
        await settled()
        await enemiesSay(member + 1)
      }
      for (let turn = 0; turn < 6; turn++) for (const by of [0, 1]) await help(by)
      quorums += nodes[0].quorums().length
      expect(nodes[1].quorums()).toEqual(nodes[0].quorums())
    }),
    { numRuns: 200 },
  )
  expect(quorums).toBeGreaterThan(30)
})
