import { keccak256Hex } from '../crypto/keccak.js'
import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpUint } from '../encoding/rlp-fields.js'
import type { Hash32 } from '../primitives/hashes.js'
import type { MemberIndex, SetId } from '../primitives/quantities.js'
import { type BatchAttestation, decodeAttestation, encodeAttestation } from './batch-attestation.js'
import { decodeProposal, encodeProposal, type Proposal } from './proposal.js'
import { decodeVote, encodeVote, type Vote } from './vote.js'

/** Two votes of one member for different values in one (height, round, step); extensions, which votes do not sign, are left out. */
export interface DuplicateVote {
  readonly kind: 'duplicate-vote'
  readonly first: Vote
  readonly second: Vote
}

/** Two proposals of one member for one (height, round) that differ in block or valid round. */
export interface DuplicateProposal {
  readonly kind: 'duplicate-proposal'
  readonly first: Proposal
  readonly second: Proposal
}

/** Two attestations of one member for one batch index; they do not name their signer, so the evidence does. */
export interface DuplicateAttestation {
  readonly kind: 'duplicate-attestation'
  readonly setId: SetId
  readonly member: MemberIndex
  readonly first: BatchAttestation
  readonly second: BatchAttestation
}

/** Two signed messages that no honest sequencer signs both: proof against their signer to anybody who knows its key. */
export type Evidence = DuplicateVote | DuplicateProposal | DuplicateAttestation

const kinds = ['duplicate-vote', 'duplicate-proposal', 'duplicate-attestation'] as const
/** Most bytes of one encoded piece. */
export const maxEvidenceBytes = 512
/** Most pieces in one message between nodes. */
export const maxEvidencePerMessage = 64
const maxMessageBytes = 224

/** Evidence of two votes, in canonical order. Whether they conflict and are signed is for `verifyEvidence` to say. */
export function duplicateVote(a: Vote, b: Vote): DuplicateVote {
  const [first, second] = inOrder(bare(a), bare(b))
  return { kind: 'duplicate-vote', first, second }
}

/** Evidence of two proposals, in canonical order. */
export function duplicateProposal(a: Proposal, b: Proposal): DuplicateProposal {
  const [first, second] = inOrder(a, b)
  return { kind: 'duplicate-proposal', first, second }
}

/** Evidence of two attestations by a member of a set, in canonical order. */
export function duplicateAttestation({
  setId,
  member,
  attestations: [a, b],
}: {
  setId: SetId
  member: MemberIndex
  attestations: readonly [BatchAttestation, BatchAttestation]
}): DuplicateAttestation {
  const [first, second] = a.batchHash <= b.batchHash ? [a, b] : [b, a]
  return { kind: 'duplicate-attestation', setId, member, first, second }
}

/** The accused: its index in the set of the evidence's height, or in the set that an attestation's evidence names. */
export function accusedOf(evidence: Evidence): MemberIndex {
  switch (evidence.kind) {
    case 'duplicate-vote':
      return evidence.first.member
    case 'duplicate-proposal':
      return evidence.first.proposer
    case 'duplicate-attestation':
      return evidence.member
  }
}

/** `[kind, first, second]`, with set and member before an attestation's two. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  const kind = rlpUint(kinds.indexOf(evidence.kind))
  switch (evidence.kind) {
    case 'duplicate-vote':
      return encodeRlp([kind, encodeVote(evidence.first), encodeVote(evidence.second)])
    case 'duplicate-proposal':
      return encodeRlp([kind, encodeProposal(evidence.first), encodeProposal(evidence.second)])
    case 'duplicate-attestation': {
      const signer = [rlpUint(evidence.setId), rlpUint(evidence.member)]
      return encodeRlp([kind, ...signer, encodeAttestation(evidence.first), encodeAttestation(evidence.second)])
    }
  }
}

/** @throws DecodeError also when the two are not in canonical order, or equal in what is signed */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > maxEvidenceBytes) throw new DecodeError(`evidence: has ${bytes.length} bytes`)
  const fields = RlpFields.decode(bytes, 'evidence')
  const evidence = readEvidence(fields, kinds[Number(fields.uint(8))])
  fields.end()
  if (!isOrdered(evidence)) throw new DecodeError('evidence: the messages are equal or not in order')
  return evidence
}

/** What nodes tell one another on the channel 'evidence': a list of pieces. */
export const encodeEvidenceMessage = (pieces: readonly Evidence[]): Uint8Array => encodeRlp(pieces.map(encodeEvidence))

/** @throws DecodeError */
export function decodeEvidenceMessage(bytes: Uint8Array): Evidence[] {
  const fields = RlpFields.decode(bytes, 'evidence message')
  if (fields.remaining > maxEvidencePerMessage) throw new DecodeError('evidence message: too many pieces')
  const pieces: Evidence[] = []
  while (fields.remaining > 0) pieces.push(decodeEvidence(fields.bytes({ max: maxEvidenceBytes })))
  return pieces
}

/** Names a piece: keccak256 of its encoding. One pair of messages has one. */
export const evidenceHash = (evidence: Evidence): Hash32 => keccak256Hex(encodeEvidence(evidence))

function readEvidence(fields: RlpFields, kind: Evidence['kind'] | undefined): Evidence {
  const message = () => fields.bytes({ max: maxMessageBytes })
  switch (kind) {
    case 'duplicate-vote':
      return { kind, first: bareVote(message()), second: bareVote(message()) }
    case 'duplicate-proposal':
      return { kind, first: decodeProposal(message()), second: decodeProposal(message()) }
    case 'duplicate-attestation': {
      const setId = fields.safeUint()
      const member = Number(fields.uint(16))
      return { kind, setId, member, first: decodeAttestation(message()), second: decodeAttestation(message()) }
    }
    default:
      throw new DecodeError('evidence: unknown kind')
  }
}

function bareVote(bytes: Uint8Array): Vote {
  const vote = decodeVote(bytes)
  if (vote.extension.length > 0) throw new DecodeError('evidence: a vote carries its extension')
  return vote
}

const bare = (vote: Vote): Vote => ({ ...vote, extension: new Uint8Array(0) })

function isOrdered(evidence: Evidence): boolean {
  if (evidence.kind === 'duplicate-attestation') return evidence.first.batchHash < evidence.second.batchHash
  return compare(evidence.first, evidence.second) < 0
}

/** Lower block hash first; of one block, the lower valid round. */
function compare(a: Vote | Proposal, b: Vote | Proposal): number {
  if (a.blockHash !== b.blockHash) return a.blockHash < b.blockHash ? -1 : 1
  return 'validRound' in a && 'validRound' in b ? a.validRound - b.validRound : 0
}

function inOrder<Message extends Vote | Proposal>(a: Message, b: Message): [Message, Message] {
  return compare(a, b) <= 0 ? [a, b] : [b, a]
}
