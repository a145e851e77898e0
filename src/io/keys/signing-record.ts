import type { RlpItem } from '../../base/encoding/rlp.js'
import { type RlpFields, rlpUint } from '../../base/encoding/rlp-fields.js'
import type { BlockHash, Hash32 } from '../../base/primitives/hashes.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import type { BatchIndex, Height, Round } from '../../base/primitives/quantities.js'

/** The last message of one kind that was signed: where, and the digest. Height 0 is before the first. */
export interface SignedPosition {
  readonly height: Height
  readonly round: Round
  readonly digest: Hash32
}

/** The last batch that was attested. Index 0 is before the first. */
export interface SignedBatch {
  readonly batchIndex: BatchIndex
  readonly digest: Hash32
}

/** The last block that was precommitted, which Tendermint locks on. Height 0 is before the first. */
export interface LockedBlock {
  readonly height: Height
  readonly round: Round
  readonly blockHash: BlockHash
}

/** Messages of one kind are in order among themselves. */
export type SignedKind = 'proposal' | 'prevote' | 'precommit' | 'attestation'

/**
 * Why a key signs no more: the network showed a message signed by it that its record does not know.
 * `SIGNING_RECORD_BEHIND`: the message may be from before this signer's present run, so its record is older than the key's
 * last signature (a restored backup). `KEY_IN_USE_ELSEWHERE`: the message was made since, or is another one at the recorded
 * position itself: a second signer has the key.
 */
export type SigningStopReason = 'KEY_IN_USE_ELSEWHERE' | 'SIGNING_RECORD_BEHIND'

/** A stop, and the message that caused it: height and round, or batch index and 0. */
export interface SigningStop {
  readonly reason: SigningStopReason
  readonly kind: SignedKind
  readonly at: number
  readonly round: Round
}

/** How an operator names the stop that is to end: the height of its message, or `batch-` and the batch. */
export const nameOfStop = ({ kind, at }: SigningStop): string => (kind === 'attestation' ? `batch-${at}` : `${at}`)

/** What a log says of a stop, with the flag that ends it. */
export const stopFields = (stop: SigningStop) => ({ ...stop, endedBy: `--resume-signing ${nameOfStop(stop)}` })

/** Everything that a signer must remember to never sign twice. */
export interface SigningRecord {
  readonly proposal: SignedPosition
  readonly prevote: SignedPosition
  readonly precommit: SignedPosition
  readonly attestation: SignedBatch
  /** What no prevote of its height may contradict, whatever the node that asks has forgotten. */
  readonly lock: LockedBlock
  /** Heights up to it are decided: no vote and no proposal of theirs is signed any more. */
  readonly floor: Height
  /** While set, nothing but the binding of a peer id is signed. */
  readonly stop: SigningStop | null
}

const never: SignedPosition = { height: 0, round: 0, digest: zeroHash }

/** The record of a key that signed nothing. */
export const emptyRecord: SigningRecord = {
  proposal: never,
  prevote: never,
  precommit: never,
  attestation: { batchIndex: 0, digest: zeroHash },
  lock: { height: 0, round: 0, blockHash: zeroHash },
  floor: 0,
  stop: null,
}

/** Where the record lives. One signer at a time. */
export interface SigningRecordStore {
  /** What was saved last. */
  load(): SigningRecord
  /** Resolves when the record (or one saved after it) survives power loss. @throws KeyError SIGNING_RECORD_UNWRITABLE */
  save(record: SigningRecord): Promise<void>
  close(): Promise<void>
}

const kinds: readonly SignedKind[] = ['proposal', 'prevote', 'precommit', 'attestation']
const reasons: readonly SigningStopReason[] = ['KEY_IN_USE_ELSEWHERE', 'SIGNING_RECORD_BEHIND']

/** A stop as RLP fields; none is the empty list. */
export function encodeStop(stop: SigningStop | null): RlpItem {
  return stop ? [reasons.indexOf(stop.reason), kinds.indexOf(stop.kind), stop.at, stop.round].map(rlpUint) : []
}

/** @throws DecodeError */
export function decodeStop(fields: RlpFields): SigningStop | null {
  if (fields.remaining === 0) return null
  // A code that a later version wrote still stops.
  const reason = reasons[fields.safeUint()] ?? 'KEY_IN_USE_ELSEWHERE'
  const kind = kinds[fields.safeUint()] ?? 'precommit'
  const stop = { reason, kind, at: fields.safeUint(), round: fields.safeUint() }
  fields.end()
  return stop
}
