import { type Address, type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import type { BatchIndex } from '../../base/primitives/quantities.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import { type BatchHeader, batchHash, batchVersion, hashOfBlobHashes } from '../../base/protocol/batch-header.js'
import { verifyQuorum } from '../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { CommitBatchArguments, ContractRefusal } from './l1-client.js'

/** What Rollup.sol and MessageQueue.sol keep. */
export interface MemoryRollupState {
  /** By index; batch 0 is genesis. */
  readonly batches: readonly { readonly header: BatchHeader; readonly hash: Hash32; readonly committedAt: number }[]
  readonly finalized: BatchIndex
  readonly messages: readonly { readonly rollingHash: Hash32; readonly enqueuedAt: number }[]
}

/** Seconds that the contracts were deployed with. */
export interface RollupRules {
  readonly challengeWindowSec: number
  readonly submitterTurnSec: number
  readonly forcedInclusionWindowSec: number
}

export interface CommitAttempt {
  readonly state: MemoryRollupState
  readonly args: CommitBatchArguments
  /** The set that the header names, if it was elected. */
  readonly set: SequencerSet | undefined
  readonly sender: Address
  readonly nowSec: number
  readonly rules: RollupRules
  readonly domain: SigningDomain
}

/** Why commitBatch would revert, by the name of the error of Rollup.sol and in its order of checks, or null. */
export function refuseCommit(attempt: CommitAttempt): ContractRefusal | null {
  return (
    refuseContinuation(attempt) ??
    refuseBlobs(attempt.args) ??
    refuseMessages(attempt) ??
    refuseTurn(attempt) ??
    refuseQuorum(attempt)
  )
}

/** Why finalizeBatch would revert, or null. */
export function refuseFinalize(
  state: MemoryRollupState,
  index: BatchIndex,
  nowSec: number,
  { challengeWindowSec }: RollupRules,
): ContractRefusal | null {
  const batch = state.batches[index]
  if (!batch) return refusal('NotCommitted', { index, last: state.batches.length - 1 })
  if (index <= state.finalized) return refusal('AlreadyFinalized', { index, last: state.finalized })
  const until = batch.committedAt + challengeWindowSec
  return nowSec < until ? refusal('ChallengeWindowOpen', { index, until }) : null
}

function refuseContinuation({ state, args: { header } }: CommitAttempt): ContractRefusal | null {
  const parent = state.batches[state.batches.length - 1]!
  const index = state.batches.length
  if (header.version !== batchVersion) return refusal('WrongVersion', { version: header.version })
  if (header.batchIndex !== index) return refusal('WrongBatchIndex', { expected: index, actual: header.batchIndex })
  if (header.parentBatchHash !== parent.hash)
    return refusal('WrongParent', { expected: parent.hash, actual: header.parentBatchHash })
  const first = parent.header.lastBlock + 1
  if (header.firstBlock !== first) return refusal('WrongFirstBlock', { expected: first, actual: header.firstBlock })
  if (header.lastBlock < header.firstBlock) return refusal('NoBlocks', { lastBlock: header.lastBlock })
  if (header.timestamp < parent.header.timestamp)
    return refusal('TimestampBeforeParent', { timestamp: header.timestamp })
  const current = parent.header.setId
  if (header.setId !== current && header.setId !== current + 1)
    return refusal('SetNotActive', { setId: header.setId, current })
  return null
}

function refuseBlobs({ header, blobs }: CommitBatchArguments): ContractRefusal | null {
  if (blobs.length === 0) return refusal('NoBlobs', {})
  const actual = hashOfBlobHashes(blobs.map(blob => blob.versionedHash))
  return actual === header.blobHashesHash
    ? null
    : refusal('BlobHashMismatch', { expected: header.blobHashesHash, actual })
}

function refuseMessages({ state, args: { header }, nowSec, rules }: CommitAttempt): ContractRefusal | null {
  const consumed = header.messagesConsumed
  const before = state.batches[state.batches.length - 1]!.header.messagesConsumed
  if (consumed < before) return refusal('MessagesConsumedBackwards', { before, consumed })
  if (consumed > state.messages.length)
    return refusal('MessagesNotEnqueued', { count: state.messages.length, consumed })
  const expected = state.messages[consumed - 1]?.rollingHash ?? zeroHash
  if (header.messagesRollingHash !== expected)
    return refusal('WrongRollingHash', { expected, actual: header.messagesRollingHash })
  const next = state.messages[consumed]
  if (!next || next.enqueuedAt + rules.forcedInclusionWindowSec >= header.timestamp) return null
  const until = next.enqueuedAt + 2 * rules.forcedInclusionWindowSec
  return nowSec < until
    ? refusal('ForcedInclusionMissed', { messageIndex: consumed, enqueuedAt: next.enqueuedAt, until })
    : null
}

function refuseTurn({ state, args: { header }, set, sender, nowSec, rules }: CommitAttempt): ContractRefusal | null {
  if (!set) return refusal('UnknownSet', { setId: header.setId })
  const memberIndex = header.batchIndex % set.members.length
  const { submitter } = set.members[memberIndex]!
  const { committedAt } = state.batches[state.batches.length - 1]!
  const until = Math.max(
    header.timestamp + rules.submitterTurnSec,
    committedAt + Math.floor(rules.submitterTurnSec / 5),
  )
  return sender === submitter || nowSec >= until ? null : refusal('NotYourTurn', { memberIndex, submitter, until })
}

function refuseQuorum({ args, set, domain }: CommitAttempt): ContractRefusal | null {
  const { header, absent, signature } = args
  const digest = attestationDigest(domain, { batchIndex: header.batchIndex, batchHash: batchHash(header) })
  const verdict = verifyQuorum({ set: set!, absent, digest, signature })
  if (verdict.ok) return null
  if (verdict.error === 'unknown-member') return refusal('AbsentOutOfRange', { absent })
  if (verdict.error === 'not-enough-power') return refusal('QuorumNotReached', { absent })
  return refusal('SignatureInvalid', {})
}

function refusal(errorName: string, values: Readonly<Record<string, unknown>>): ContractRefusal {
  return { errorName, detail: `${errorName}(${Object.values(values).map(String).join(', ')})` }
}
