import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import type { Hex } from '../../base/primitives/bytes.js'
import type { Height, Round } from '../../base/primitives/quantities.js'
import type { BatchAttestation } from '../../base/protocol/batch-attestation.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { VoteContent } from '../../base/protocol/vote.js'
import type { SigningStop } from './signing-record.js'

/** What a proposer signs. */
export type ProposalContent = Omit<Proposal, 'proposer' | 'signature'>
/** What an attestation's signature covers. */
export type AttestationContent = Omit<BatchAttestation, 'signature'>

/** A vote that is asked for: `polkaRound`, of a prevote, is the last round in which the node saw a polka for its block; -1 when not given. */
export type VoteToSign = VoteContent & { readonly polkaRound?: Round | -1 }

/** A message that the network attributes to this key. `certified`: a quorum certificate that verified stands for the signature. */
export type ObservedMessage = (
  | { readonly kind: 'proposal'; readonly content: ProposalContent; readonly signature: Uint8Array }
  | { readonly kind: 'vote'; readonly content: VoteContent; readonly signature: Uint8Array | 'certified' }
  | { readonly kind: 'attestation'; readonly content: AttestationContent; readonly signature: Uint8Array }
) & {
  /** It was signed after this node came level with the network: whoever signed it is at work now. */
  readonly isFresh?: boolean
}

/** `expected`: nothing that the record contradicts. `forged`: not signed by this key. `stopped`: the signer signs no more. */
export type Observation = 'expected' | 'forged' | 'stopped'

/** Signs with the consensus key. The guarded implementation refuses (SignerRefusal) what would be a double signature. */
export interface ConsensusSigner {
  readonly publicKey: BlsPublicKeyBytes
  /** Names this opening of the signing record, at random: of another one nobody knows that it holds what was signed before. */
  readonly instanceId: Hex
  /** Why it signs no more, as far as it is known here. */
  readonly stop: SigningStop | null
  /** False while the key is in another process that does not answer. */
  readonly isReachable: boolean
  /** Durable record first, then the signature; asking again for the same content gives the same signature. @throws SignerRefusal */
  signProposal(content: ProposalContent): Promise<Uint8Array>
  /** @throws SignerRefusal */
  signVote(vote: VoteToSign): Promise<Uint8Array>
  /** @throws SignerRefusal */
  signAttestation(content: AttestationContent): Promise<Uint8Array>
  signNodeBinding(peerId: Uint8Array): Promise<Uint8Array>
  /** Looks at a message said to be signed by this key; one that the record does not know stops the signer for good. */
  observe(message: ObservedMessage): Promise<Observation>
  /** No vote or proposal up to this height is signed from now on: it is decided. */
  raiseFloor(height: Height): Promise<void>
  close(): Promise<void>
}
