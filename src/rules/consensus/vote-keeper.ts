import type { BlockHash } from '../../base/primitives/hashes.js'
import type { MemberIndex, Power } from '../../base/primitives/quantities.js'
import { isOneHonest, isQuorum, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import { isNil, type Vote } from '../../base/protocol/vote.js'
import type { Verified } from './verified.js'

interface Tally {
  power: Power
  readonly votes: Map<MemberIndex, Verified<Vote>>
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

  private readonly first = new Map<MemberIndex, Verified<Vote>>()
  private readonly reported = new Set<MemberIndex>()
  private readonly tallies = new Map<BlockHash, Tally>()

  constructor(
    private readonly set: SequencerSet,
    private readonly isProposed: (blockHash: BlockHash) => boolean,
  ) {}

  /** Counts the vote. Returns the member's first vote when this one contradicts it, once per member. */
  add(vote: Verified<Vote>): Verified<Vote> | null {
    const first = this.first.get(vote.member)
    if (!first) {
      this.first.set(vote.member, vote)
      this.power += this.set.members[vote.member]!.power
      this.count(vote)
      return null
    }
    if (first.blockHash === vote.blockHash) return null
    if (this.countsAsSecond(vote.blockHash)) this.count(vote)
    if (this.reported.has(vote.member)) return null
    this.reported.add(vote.member)
    return first
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

  hasVoteOf(member: MemberIndex): boolean {
    return this.first.has(member)
  }

  /** The counted votes for one value. */
  votesFor(blockHash: BlockHash): Verified<Vote>[] {
    return [...(this.tallies.get(blockHash)?.votes.values() ?? [])]
  }

  /** All counted votes. */
  votes(): Verified<Vote>[] {
    return [...this.tallies.values()].flatMap(tally => [...tally.votes.values()])
  }

  private powerFor(blockHash: BlockHash): Power {
    return this.tallies.get(blockHash)?.power ?? 0n
  }

  private countsAsSecond(blockHash: BlockHash): boolean {
    return isNil(blockHash) || this.isProposed(blockHash) || this.hasOneHonestFor(blockHash)
  }

  private count(vote: Verified<Vote>): void {
    let tally = this.tallies.get(vote.blockHash)
    if (!tally) {
      tally = { power: 0n, votes: new Map() }
      this.tallies.set(vote.blockHash, tally)
    }
    if (tally.votes.has(vote.member)) return
    tally.votes.set(vote.member, vote)
    tally.power += this.set.members[vote.member]!.power
    if (isNil(vote.blockHash)) return
    if (tally.power > this.bestBlockPower) this.bestBlockPower = tally.power
    if (isQuorum(this.set, tally.power)) this.quorumBlock ??= vote.blockHash
  }
}
