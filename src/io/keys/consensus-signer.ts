import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import type { BatchAttestation } from '../../base/protocol/batch-attestation.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { VoteContent } from '../../base/protocol/vote.js'

/** Signs with the consensus key. The guarded implementation refuses (SignerRefusal) what would be a double signature. */
export interface ConsensusSigner {
  readonly publicKey: BlsPublicKeyBytes
  /** Durable record first, then the signature; asking again for the same content gives the same signature. @throws SignerRefusal */
  signProposal(content: Omit<Proposal, 'proposer' | 'signature'>): Promise<Uint8Array>
  /** @throws SignerRefusal */
  signVote(content: VoteContent): Promise<Uint8Array>
  /** @throws SignerRefusal */
  signAttestation(content: Omit<BatchAttestation, 'signature'>): Promise<Uint8Array>
  signNodeBinding(peerId: Uint8Array): Promise<Uint8Array>
  close(): Promise<void>
}
