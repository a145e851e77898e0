import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import { hexToBytes } from '../primitives/bytes.js'
import type { BlockHash } from '../primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../primitives/quantities.js'
import { intWord, type SigningDomain, signingDigest, structHash, typeHash, uintWord } from './signing-domain.js'

/** What the proposer of a round signs; the block itself travels beside it. */
export interface Proposal {
  readonly height: Height
  readonly round: Round
  /** Round in which the block already had a polka, or -1. */
  readonly validRound: Round | -1
  readonly blockHash: BlockHash
  readonly proposer: MemberIndex
  /** 96 bytes over `proposalDigest`. */
  readonly signature: Uint8Array
}

const proposalType = typeHash('Proposal(uint64 height,uint32 round,int64 validRound,bytes32 blockHash)')

/** The digest that a proposal's signature covers (protocol.md section 1). */
export function proposalDigest(
  domain: SigningDomain,
  { height, round, validRound, blockHash }: Omit<Proposal, 'proposer' | 'signature'>,
): Uint8Array {
  return signingDigest(
    domain,
    structHash(proposalType, uintWord(height), uintWord(round), intWord(validRound), hexToBytes(blockHash)),
  )
}

/** validRound is written plus one, since RLP knows no negative numbers. */
export function encodeProposal(proposal: Proposal): Uint8Array {
  return encodeRlp([
    rlpUint(proposal.height),
    rlpUint(proposal.round),
    rlpUint(proposal.validRound + 1),
    rlpHex(proposal.blockHash),
    rlpUint(proposal.proposer),
    proposal.signature,
  ])
}

/** @throws DecodeError */
export function decodeProposal(bytes: Uint8Array): Proposal {
  const fields = RlpFields.decode(bytes, 'proposal')
  const proposal: Proposal = {
    height: fields.safeUint(),
    round: Number(fields.uint(32)),
    validRound: Number(fields.uint(32)) - 1,
    blockHash: fields.hash(),
    proposer: Number(fields.uint(16)),
    signature: fields.bytes({ min: 96, max: 96 }),
  }
  fields.end()
  return proposal
}
