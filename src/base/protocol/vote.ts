import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import { hexToBytes } from '../primitives/bytes.js'
import { type BlockHash, zeroHash } from '../primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../primitives/quantities.js'
import { type SigningDomain, signingDigest, structHash, typeHash, uintWord } from './signing-domain.js'

/** The step of a vote as it is signed: 1 prevote, 2 precommit. */
export type VoteStep = 1 | 2
export const prevote: VoteStep = 1
export const precommit: VoteStep = 2

/** What one vote says; nil is the zero hash. Equal votes of all members are equal messages, so they aggregate. */
export interface VoteContent {
  readonly height: Height
  readonly round: Round
  readonly step: VoteStep
  readonly blockHash: BlockHash
}

/** One member's signed vote. A precommit may carry a vote extension (ABCI 2.0): the encoded batch attestation. */
export interface Vote extends VoteContent {
  readonly member: MemberIndex
  /** 96 bytes over `voteDigest`. */
  readonly signature: Uint8Array
  /** Encoded BatchAttestation, or empty. */
  readonly extension: Uint8Array
}

/** Most bytes of a vote extension. */
export const maxExtensionLength = 512

const voteType = typeHash('Vote(uint64 height,uint32 round,uint8 step,bytes32 blockHash)')

/** Whether the vote is for no block. */
export const isNil = (blockHash: BlockHash): boolean => blockHash === zeroHash

/** The digest that a vote's signature covers (protocol.md section 1). */
export function voteDigest(domain: SigningDomain, { height, round, step, blockHash }: VoteContent): Uint8Array {
  return signingDigest(
    domain,
    structHash(voteType, uintWord(height), uintWord(round), uintWord(step), hexToBytes(blockHash)),
  )
}

export function encodeVote(vote: Vote): Uint8Array {
  return encodeRlp([
    rlpUint(vote.height),
    rlpUint(vote.round),
    rlpUint(vote.step),
    rlpHex(vote.blockHash),
    rlpUint(vote.member),
    vote.signature,
    vote.extension,
  ])
}

/** @throws DecodeError */
export function decodeVote(bytes: Uint8Array): Vote {
  const fields = RlpFields.decode(bytes, 'vote')
  const height = fields.safeUint()
  const round = Number(fields.uint(32))
  const step = Number(fields.uint(8))
  if (step !== prevote && step !== precommit) throw new DecodeError(`vote: step ${step} is unknown`)
  const blockHash = fields.hash()
  const member = Number(fields.uint(16))
  const signature = fields.bytes({ min: 96, max: 96 })
  const extension = fields.bytes({ max: maxExtensionLength })
  if (step === prevote && extension.length > 0) throw new DecodeError('vote: a prevote carries no extension')
  fields.end()
  return { height, round, step, blockHash, member, signature, extension }
}

/** Reads a list of at most so many votes. @throws DecodeError */
export function readVotes(fields: RlpFields, { max }: { max: number }): Vote[] {
  return fields.items({ max }).map(item => {
    if (!(item instanceof Uint8Array)) throw new DecodeError('votes: one is not bytes')
    return decodeVote(item)
  })
}
