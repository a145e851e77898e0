import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp, type RlpItem } from '../encoding/rlp.js'
import type { RlpFields } from '../encoding/rlp-fields.js'
import type { MemberIndex } from '../primitives/quantities.js'
import { maxSetSize } from './sequencer-set.js'
import { encodeVote, readVotes, type Vote, type VoteContent } from './vote.js'

/**
 * Votes of several members for one thing, and the sum of their signatures: whoever checks the sum knows, since each key came
 * with a proof of possession, that all of them signed. It says nothing of the signatures that the single votes carry: those
 * are what the aggregator claims, of use where one vote must be shown alone.
 */
export interface VoteAggregate {
  /** At least two, of one height, round, step and value, by ascending member. */
  readonly votes: readonly Vote[]
  /** Sum of the members' signatures over `voteDigest`, 96 bytes. */
  readonly signature: Uint8Array
}

/** What all votes of an aggregate say. */
export function contentOf({ votes: [first] }: VoteAggregate): VoteContent {
  const { height, round, step, blockHash } = first!
  return { height, round, step, blockHash }
}

/** The members whose votes it holds. */
export const membersOf = ({ votes }: VoteAggregate): MemberIndex[] => votes.map(({ member }) => member)

/** The fields of an aggregate inside a longer list: the sum, then each vote. */
export function aggregateFields({ votes, signature }: VoteAggregate): RlpItem[] {
  return [signature, votes.map(encodeVote)]
}

export const encodeAggregate = (aggregate: VoteAggregate): Uint8Array => encodeRlp(aggregateFields(aggregate))

/** Reads the fields of an aggregate, whose votes are no more than a set has members. @throws DecodeError also when its votes are not what an aggregate holds */
export function readAggregate(fields: RlpFields): VoteAggregate {
  const signature = fields.bytes({ min: 96, max: 96 })
  const votes = readVotes(fields, { max: maxSetSize })
  if (votes.length < 2) throw new DecodeError('vote aggregate: it needs two votes')
  votes.forEach((vote, i) => {
    const before = votes[i - 1]
    if (!before) return
    if (!isSameContent(vote, before)) throw new DecodeError('vote aggregate: the votes differ')
    if (vote.member <= before.member) throw new DecodeError('vote aggregate: members do not ascend')
  })
  return { votes, signature }
}

const isSameContent = (a: VoteContent, b: VoteContent): boolean =>
  a.height === b.height && a.round === b.round && a.step === b.step && a.blockHash === b.blockHash
