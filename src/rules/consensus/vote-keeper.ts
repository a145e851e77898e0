import type { BlockHash } from '../../base/primitives/hashes.js'
import type { MemberIndex, Power } from '../../base/primitives/quantities.js'
import { isOneHonest, isQuorum, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import { isNil, prevote, type Vote, type VoteStep } from '../../base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import type { Verified } from './verified.js'

/** Votes for one value. */
interface Tally {
  power: Power
  /** Those whose own signature was checked. */
  readonly votes: Map<MemberIndex, Verified<Vote>>
  /** Of precommits no two have a member in common, so that their signatures add up to a certificate. */
  readonly aggregates: Verified<VoteAggregate>[]
  readonly aggregated: Set<MemberIndex>
}

/** Signatures over one thing by each member once: single ones, and sums by several. */
export interface CountedSignatures {
  readonly votes: readonly Verified<Vote>[]
  readonly aggregates: readonly Verified<VoteAggregate>[]
}

/**
 * The votes of one (height, round, step), counted as they come. A member's second vote counts too, as in the paper, but
 * only for nil, a block that was proposed, or a value of more than one third: else double voters could hide a quorum from a
 * node that got their other vote first, and make it keep values without bound.
 */
export class VoteKeeper {
  /** Power of the members who voted. */
  power: Power = 0n
  /** Power of the block with most votes. */
  bestBlockPower: Power = 0n
  /** The block with more than two thirds of the power. */
  quorumBlock: BlockHash | null = null

  private readonly first = new Map<MemberIndex, Vote>()
  private readonly reported = new Set<MemberIndex>()
  private readonly tallies = new Map<BlockHash, Tally>()

  constructor(
    private readonly set: SequencerSet,
    private readonly isProposed: (blockHash: BlockHash) => boolean,
  ) {}

  /** Counts the vote. Returns the member's first vote when this one contradicts it, once per member. */
  add(vote: Verified<Vote>): Vote | null {
    const first = this.first.get(vote.member)
    if (!first || first.blockHash === vote.blockHash || this.countsAsSecond(vote.blockHash)) this.count(vote)
    return this.note(vote)
  }

  /**
   * Counts all its votes, unless it has a member in common with one that was counted and `mayOverlap` says no: then none. Returns
   * each member's first vote that it contradicts, with the one that does.
   */
  addAggregate(aggregate: Verified<VoteAggregate>): [first: Vote, second: Vote][] {
    const { step, blockHash } = contentOf(aggregate)
    const tally = this.tallyOf(blockHash)
    const isNew = ({ member }: Vote) => !tally.votes.has(member) && !tally.aggregated.has(member)
    const overlaps = aggregate.votes.some(({ member }) => tally.aggregated.has(member))
    if (overlaps && !mayOverlap(step, aggregate.votes.some(isNew))) return []
    tally.aggregates.push(aggregate)
    for (const vote of aggregate.votes) {
      if (isNew(vote)) this.addPower(tally, vote)
      tally.aggregated.add(vote.member)
    }
    return aggregate.votes.flatMap(vote => {
      const first = this.note(vote)
      return first ? [[first, vote] as [Vote, Vote]] : []
    })
  }

  /** Whether more than two thirds of the power voted for this value. */
  hasQuorumFor(blockHash: BlockHash): boolean {
    return isQuorum(this.set, this.powerFor(blockHash))
  }

  /** Whether more than one third of the power voted for this value. */
  hasOneHonestFor(blockHash: BlockHash): boolean {
    return isOneHonest(this.set, this.powerFor(blockHash))
  }

  /** Whether more than two thirds of the power voted, for whatever. */
  get hasQuorum(): boolean {
    return isQuorum(this.set, this.power)
  }

  /** Whether a block may still get its quorum when no member votes twice. */
  get canReachBlock(): boolean {
    return isQuorum(this.set, this.bestBlockPower + this.set.totalPower - this.power)
  }

  /** Whether this vote is not counted and would be now: a second one that came before its block was known is worth having again. */
  lacks({ member, blockHash }: Vote): boolean {
    const tally = this.tallies.get(blockHash)
    if (tally?.votes.has(member) || tally?.aggregated.has(member)) return false
    return !this.first.has(member) || this.countsAsSecond(blockHash)
  }

  /** Whether a member's second vote, for this value, counts. */
  countsAsSecond(blockHash: BlockHash): boolean {
    return isNil(blockHash) || this.isProposed(blockHash) || this.hasOneHonestFor(blockHash)
  }

  hasVoteOf(member: MemberIndex): boolean {
    return this.first.has(member)
  }

  /** The counted signatures for one value. */
  signaturesFor(blockHash: BlockHash): CountedSignatures {
    return signaturesOf(this.tallyOf(blockHash))
  }

  /** The counted signatures for all values; of `self` the single votes too, which others may want beside an aggregate. */
  signatures(self: MemberIndex | null): CountedSignatures {
    const all = [...this.tallies.values()].map(tally => signaturesOf(tally, self))
    return { votes: all.flatMap(({ votes }) => votes), aggregates: all.flatMap(({ aggregates }) => aggregates) }
  }

  private powerFor(blockHash: BlockHash): Power {
    return this.tallies.get(blockHash)?.power ?? 0n
  }

  /** Remembers a member's first vote; returns it when this one contradicts it, once per member. */
  private note(vote: Vote): Vote | null {
    const first = this.first.get(vote.member)
    if (!first) {
      this.first.set(vote.member, vote)
      this.power += this.set.members[vote.member]!.power
      return null
    }
    if (first.blockHash === vote.blockHash || this.reported.has(vote.member)) return null
    this.reported.add(vote.member)
    return first
  }

  private count(vote: Verified<Vote>): void {
    const tally = this.tallyOf(vote.blockHash)
    if (tally.votes.has(vote.member)) return
    tally.votes.set(vote.member, vote)
    if (!tally.aggregated.has(vote.member)) this.addPower(tally, vote)
  }

  private tallyOf(blockHash: BlockHash): Tally {
    let tally = this.tallies.get(blockHash)
    if (!tally) {
      tally = { power: 0n, votes: new Map(), aggregates: [], aggregated: new Set() }
      this.tallies.set(blockHash, tally)
    }
    return tally
  }

  private addPower(tally: Tally, { member, blockHash }: Vote): void {
    tally.power += this.set.members[member]!.power
    if (isNil(blockHash)) return
    if (tally.power > this.bestBlockPower) this.bestBlockPower = tally.power
    if (isQuorum(this.set, tally.power)) this.quorumBlock ??= blockHash
  }
}

/**
 * Whether an aggregate counts beside others for its value that it shares members with. Signatures of which one is in two sums
 * make no certificate, and that is what precommits are for. A polka needs no certificate, but it must be possible to pass it on: a
 * node that refused the sum in which another counted a member's prevote could never follow that node.
 */
export function mayOverlap(step: VoteStep, addsMember: boolean): boolean {
  return step === prevote && addsMember
}

const signaturesOf = (
  { votes, aggregates, aggregated }: Tally,
  self: MemberIndex | null = null,
): CountedSignatures => ({
  votes: [...votes.values()].filter(({ member }) => !aggregated.has(member) || member === self),
  aggregates,
})
