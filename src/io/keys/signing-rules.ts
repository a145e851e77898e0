import { type BlockHash, type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import type { BatchIndex, Height, Round } from '../../base/primitives/quantities.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import { isNil } from '../../base/protocol/vote.js'
import type { SignerRefusalCode } from './signer-refusal.js'
import type {
  LockedBlock,
  SignedBatch,
  SignedKind,
  SignedPosition,
  SigningRecord,
  SigningStopReason,
} from './signing-record.js'

/** A message of the key as the record sees it: kind, position, digest. */
export type SignedMessage =
  | {
      readonly kind: Exclude<SignedKind, 'attestation'>
      readonly height: Height
      readonly round: Round
      readonly digest: Hash32
    }
  | { readonly kind: 'attestation'; readonly batchIndex: BatchIndex; readonly digest: Hash32 }

/** A message that the key is asked for: of a vote the block too, and of a prevote the polka that its proposal rests on (-1: none). */
export type AskedMessage = Extract<SignedMessage, { kind: 'attestation' }> | AskedPosition
type AskedPosition = { readonly height: Height; readonly round: Round; readonly digest: Hash32 } & (
  | { readonly kind: 'proposal' }
  | { readonly kind: 'prevote'; readonly blockHash: BlockHash; readonly polkaRound: Round | -1 }
  | { readonly kind: 'precommit'; readonly blockHash: BlockHash }
)

/** The record after signing the message, or why it must not be signed (spec/signing.md). Pure. */
export function admit(record: SigningRecord, asked: AskedMessage): Result<SigningRecord, SignerRefusalCode> {
  if (record.stop) return refuse('SIGNING_STOPPED')
  const order = compare(asked, record)
  if (order === 0 && asked.digest === record[asked.kind].digest) return ok(record)
  if (asked.kind === 'prevote' && breaksLock(record.lock, asked)) return refuse('LOCKED')
  if (order === 0) return refuse(doubleOf[asked.kind])
  if (order < 0) return refuse('BELOW_RECORD')
  if (asked.kind === 'attestation') {
    const { batchIndex, digest } = asked
    return ok({ ...record, attestation: { batchIndex, digest } })
  }
  // A prevote comes before the precommit of its round.
  if (asked.height <= record.floor) return refuse('BELOW_RECORD')
  if (asked.kind === 'prevote' && comparePositions(asked, record.precommit) <= 0) return refuse('BELOW_RECORD')
  if (asked.kind === 'precommit' && comparePositions(asked, record.prevote) < 0) return refuse('BELOW_RECORD')
  const { height, round, digest } = asked
  const isLock = asked.kind === 'precommit' && !isNil(asked.blockHash)
  const lock = isLock ? { height, round, blockHash: asked.blockHash } : record.lock
  return ok({ ...record, [asked.kind]: { height, round, digest }, lock })
}

/** Algorithm 1, L23 and L29: after a precommit for a block, another block is prevoted only on a polka of that round or a later one. */
function breaksLock(lock: LockedBlock, asked: Extract<AskedMessage, { kind: 'prevote' }>): boolean {
  const { height, round, blockHash, polkaRound } = asked
  if (height !== lock.height || round <= lock.round || isNil(blockHash)) return false
  return blockHash !== lock.blockHash && polkaRound < lock.round
}

/**
 * What a message that the key did sign says about its record. `known`: it is the recorded one. `past`: below the record,
 * which keeps only the last of each kind, or at a height that is decided: it cannot be judged and does no harm.
 */
export function judge(record: SigningRecord, seen: SignedMessage): 'known' | 'past' | 'above' | 'conflicting' {
  if (seen.kind !== 'attestation' && seen.height <= record.floor) return 'past'
  const order = compare(seen, record)
  if (order !== 0) return order < 0 ? 'past' : 'above'
  if (seen.kind === 'attestation' && record.attestation.digest === zeroHash) return 'past'
  return seen.digest === record[seen.kind].digest ? 'known' : 'conflicting'
}

/**
 * The record stopped by a message that is `above` or `conflicting`; the first stop stays. `isFresh`: the message was signed
 * since this signer is at work, so another one is at work too.
 */
export function stopBy(
  record: SigningRecord,
  { seen, isFresh }: { seen: SignedMessage; isFresh: boolean },
): SigningRecord {
  const isBehind = judge(record, seen) === 'above' && !isFresh
  const reason: SigningStopReason = isBehind ? 'SIGNING_RECORD_BEHIND' : 'KEY_IN_USE_ELSEWHERE'
  const { kind } = seen
  const place = kind === 'attestation' ? { at: seen.batchIndex, round: 0 } : { at: seen.height, round: seen.round }
  return { ...record, stop: record.stop ?? { reason, kind, ...place } }
}

/** The record of a key that no longer signs at heights that are decided. */
export function raiseFloor(record: SigningRecord, height: Height): SigningRecord {
  return height > record.floor ? { ...record, floor: height } : record
}

/**
 * The record that signs again after a stop, on the operator's word that no other signer runs: nothing at the height of
 * the message that stopped it, or below, is signed.
 */
export function resume(record: SigningRecord): SigningRecord {
  const { stop } = record
  if (!stop) return record
  if (stop.kind !== 'attestation') return { ...raiseFloor(record, stop.at), stop: null }
  const attestation = record.attestation.batchIndex < stop.at ? passed(stop.at) : record.attestation
  return { ...record, attestation, stop: null }
}

/** A record that does not say what its last precommit locked on, as those of before there were locks: it signs no more at that height. */
export function passUnknownLock(record: SigningRecord): SigningRecord {
  const { lock, precommit } = record
  return lock.height < precommit.height ? raiseFloor(record, precommit.height) : record
}

/** Which positions hold two digests: two signers were at work. */
export type RecordConflict = { readonly kind: SignedKind }

/**
 * The maximum of both by position: it never signs what either would refuse as double. A stop of `own` ends when the other
 * record knows the message that caused it, else it stays.
 */
export function mergeRecords(own: SigningRecord, other: SigningRecord): Result<SigningRecord, RecordConflict> {
  for (const kind of ['proposal', 'prevote', 'precommit', 'attestation'] as const) {
    const [mine, theirs] = [own[kind].digest, other[kind].digest]
    if (compare(asMessage(other, kind), own) === 0 && mine !== theirs && mine !== zeroHash && theirs !== zeroHash)
      return refuse({ kind })
  }
  const isOneLock = comparePositions(own.lock, other.lock) !== 0 || own.lock.blockHash === other.lock.blockHash
  if (!isOneLock) return refuse({ kind: 'precommit' })
  const later = (kind: 'proposal' | 'prevote' | 'precommit'): SignedPosition =>
    comparePositions(other[kind], own[kind]) > 0 ? other[kind] : own[kind]
  const attestation: SignedBatch =
    other.attestation.batchIndex > own.attestation.batchIndex ? other.attestation : own.attestation
  return ok({
    proposal: later('proposal'),
    prevote: later('prevote'),
    precommit: later('precommit'),
    attestation,
    lock: comparePositions(other.lock, own.lock) > 0 ? other.lock : own.lock,
    floor: Math.max(own.floor, other.floor),
    stop: own.stop && knows(other, own) ? null : own.stop,
  })
}

/**
 * Whether a record has the message that stopped the other one, or later ones; the own message of that position is not the one,
 * nor is what was passed over at a stop.
 */
function knows(record: SigningRecord, stopped: SigningRecord): boolean {
  const { kind, at, round } = stopped.stop!
  const isAttestation = kind === 'attestation'
  const order = isAttestation
    ? record.attestation.batchIndex - at
    : comparePositions(record[kind], { height: at, round })
  const { digest } = record[kind]
  if (order === 0) return digest !== zeroHash && digest !== stopped[kind].digest
  return order > 0 || (!isAttestation && record.floor > at && stopped.floor < at)
}

const doubleOf = {
  proposal: 'DOUBLE_PROPOSAL',
  prevote: 'DOUBLE_VOTE',
  precommit: 'DOUBLE_VOTE',
  attestation: 'DOUBLE_ATTESTATION',
} as const

/** A batch that is never attested, since no digest is zero; who sees it attested sees what the operator knows of. */
const passed = (batchIndex: BatchIndex): SignedBatch => ({ batchIndex, digest: zeroHash })

function asMessage(record: SigningRecord, kind: SignedKind): SignedMessage {
  return kind === 'attestation' ? { kind, ...record.attestation } : { kind, ...record[kind] }
}

function compare(message: SignedMessage, record: SigningRecord): number {
  if (message.kind === 'attestation') return message.batchIndex - record.attestation.batchIndex
  return comparePositions(message, record[message.kind])
}

function comparePositions(a: Pick<SignedPosition, 'height' | 'round'>, b: Pick<SignedPosition, 'height' | 'round'>) {
  return a.height - b.height || a.round - b.round
}
