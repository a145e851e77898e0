import { verifyBls } from '../../base/crypto/bls.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import { accusedOf, type Evidence } from '../../base/protocol/evidence.js'
import { proposalDigest } from '../../base/protocol/proposal.js'
import type { SequencerSet, SequencerSetMember } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { voteDigest } from '../../base/protocol/vote.js'

/** Why a piece of evidence proves nothing. */
export type EvidenceRefusal =
  /** The set has no such member. */
  | 'unknown-member'
  /** An attestation's evidence names another set. */
  | 'wrong-set'
  /** The two messages are of two members. */
  | 'two-members'
  /** The two messages are of different heights, rounds, steps or batches. */
  | 'two-positions'
  /** The two messages say the same. */
  | 'no-conflict'
  | 'bad-signature'

/** Checks evidence against the set of its height (or the one it names); gives the culprit. Costs two pairings at most. */
export function verifyEvidence({
  evidence,
  set,
  domain,
}: {
  evidence: Evidence
  set: SequencerSet
  domain: SigningDomain
}): Result<SequencerSetMember, EvidenceRefusal> {
  const problem = contradiction(evidence)
  if (problem) return refuse(problem)
  if (evidence.kind === 'duplicate-attestation' && evidence.setId !== set.setId) return refuse('wrong-set')
  const culprit = set.members[accusedOf(evidence)]
  if (!culprit) return refuse('unknown-member')
  const key = culprit.publicKey
  for (const { digest, signature } of signedParts(evidence, domain))
    if (!verifyBls({ digest, key, signature })) return refuse('bad-signature')
  return ok(culprit)
}

/** What keeps the two messages from being a contradiction, if anything. */
function contradiction(evidence: Evidence): EvidenceRefusal | null {
  switch (evidence.kind) {
    case 'duplicate-vote': {
      const { first, second } = evidence
      if (first.member !== second.member) return 'two-members'
      if (first.height !== second.height || first.round !== second.round || first.step !== second.step)
        return 'two-positions'
      return first.blockHash === second.blockHash ? 'no-conflict' : null
    }
    case 'duplicate-proposal': {
      const { first, second } = evidence
      if (first.proposer !== second.proposer) return 'two-members'
      if (first.height !== second.height || first.round !== second.round) return 'two-positions'
      return first.blockHash === second.blockHash && first.validRound === second.validRound ? 'no-conflict' : null
    }
    case 'duplicate-attestation': {
      const { first, second } = evidence
      if (first.batchIndex !== second.batchIndex) return 'two-positions'
      return first.batchHash === second.batchHash ? 'no-conflict' : null
    }
  }
}

function signedParts(evidence: Evidence, domain: SigningDomain): { digest: Uint8Array; signature: Uint8Array }[] {
  switch (evidence.kind) {
    case 'duplicate-vote':
      return [evidence.first, evidence.second].map(vote => ({
        digest: voteDigest(domain, vote),
        signature: vote.signature,
      }))
    case 'duplicate-proposal':
      return [evidence.first, evidence.second].map(proposal => ({
        digest: proposalDigest(domain, proposal),
        signature: proposal.signature,
      }))
    case 'duplicate-attestation':
      return [evidence.first, evidence.second].map(attestation => ({
        digest: attestationDigest(domain, attestation),
        signature: attestation.signature,
      }))
  }
}
