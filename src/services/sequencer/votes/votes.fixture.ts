import { aggregateSignatures, BlsSecretKey } from '../../../base/crypto/bls.js'
import { setOfKeys } from '../../../base/protocol/sequencer-set.fixture.js'
import { prevote, type Vote, type VoteContent, voteDigest } from '../../../base/protocol/vote.js'
import type { VoteAggregate } from '../../../base/protocol/vote-aggregate.js'

// Seven members of equal power: five are a quorum, three more than a third.
export const domain = { l1ChainId: 31_337, rollup: `0x${'12'.repeat(20)}` as const }
export const keys = Array.from({ length: 7 }, (_, i) => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i + 1)))
export const set = setOfKeys({ keys })
export const a = `0x${'aa'.repeat(32)}` as const
export const b = `0x${'bb'.repeat(32)}` as const
export const height = 5

/** A prevote for A in round 0 by the member, signed with its key or another's. */
export function vote(member: number, change: Partial<VoteContent> = {}, signer = member): Vote {
  const content = { height, round: 0, step: prevote, blockHash: a, ...change }
  return {
    ...content,
    member,
    signature: keys[signer]!.sign(voteDigest(domain, content)),
    extension: new Uint8Array(0),
  }
}

/** The votes of these members and their sum. */
export function aggregate(members: readonly number[], change: Partial<VoteContent> = {}): VoteAggregate {
  const votes = members.map(member => vote(member, change))
  return { votes, signature: aggregateSignatures(votes.map(({ signature }) => signature)) }
}
