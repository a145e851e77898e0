import { aggregateSignatures } from '../../base/crypto/bls.js'
import type { BlockHash } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Height, Round } from '../../base/primitives/quantities.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import { isQuorum, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import { membersOf } from '../../base/protocol/vote-aggregate.js'
import type { CountedSignatures } from './vote-keeper.js'

/** The certificate that these precommits of one block make, one per member. @throws InvariantError when they are no quorum */
export function makeCertificate({
  set,
  height,
  round,
  blockHash,
  precommits,
}: {
  set: SequencerSet
  height: Height
  round: Round
  blockHash: BlockHash
  precommits: CountedSignatures
}): QuorumCertificate {
  const { votes, aggregates } = precommits
  let absent = (1n << BigInt(set.members.length)) - 1n
  let power = 0n
  for (const member of [...votes.map(vote => vote.member), ...aggregates.flatMap(membersOf)]) {
    const bit = 1n << BigInt(member)
    invariant((absent & bit) !== 0n, 'a certificate counts a member once', { member })
    absent ^= bit
    power += set.members[member]!.power
  }
  invariant(isQuorum(set, power), 'a certificate needs more than two thirds of the power', { height, round })
  const signature = aggregateSignatures([...votes, ...aggregates].map(signed => signed.signature))
  return { height, round, blockHash, setId: set.setId, absent, signature }
}
