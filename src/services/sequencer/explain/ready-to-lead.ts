import type { VersionHalt, VersionHaltReason } from '../../../rules/upgrades/version-halt.js'
import type { HeightInProgress } from './height-in-progress.js'
import { syncingBehind, unknownVersionProposed } from './no-block-reason.js'

/** Why a node could not lead a round well if it were its turn. */
export type NotReadyReason =
  | VersionHaltReason
  | 'NOT_A_SEQUENCER'
  | 'NOT_IN_SET'
  | 'SYNCING'
  | 'NO_QUORUM_CONNECTED'
  | 'EXECUTION_BUSY'
  | 'SIGNER_AWAY'
  | 'SIGNER_REFUSES'
  | 'L1_STALE'

/** What readiness is decided by. */
export interface ReadyFacts {
  /** Null on a node without a consensus key. */
  readonly progress: HeightInProgress | null
  /** Blocks that peers have proved and this node lacks. */
  readonly behind: number
  /** Why this node takes no further part, or null. */
  readonly halt: VersionHalt | null
  readonly l1: {
    /** Clock time of the last look at L1 that succeeded. */
    readonly lastSuccessMs: number | null
    /** L1 blocks that are known to exist and not yet followed. */
    readonly behind: number
  }
}

/** Longest that one task of execution may take in a node that is well. */
const slowExecutionMs = 1_000
/** Oldest view of L1 that counts as fresh; a healthy follower looks every 10 s at least. */
const staleL1Ms = 15_000
/** L1 blocks that a fresh view may lack. */
const staleL1Blocks = 8

/** Everything that keeps the node from leading; none: it is ready. */
export function notReadyToLead({ progress, behind, halt, l1 }: ReadyFacts): NotReadyReason[] {
  const reasons: NotReadyReason[] = halt ? [halt.reason] : []
  if (!progress) return ['NOT_A_SEQUENCER', ...reasons]
  const { nowMs, busy } = progress
  if (!halt && unknownVersionProposed(progress)) reasons.push('PROTOCOL_VERSION_UNKNOWN')
  if (progress.self === null) reasons.push('NOT_IN_SET')
  if (behind > syncingBehind) reasons.push('SYNCING')
  if (!progress.quorumConnected) reasons.push('NO_QUORUM_CONNECTED')
  if (busy && nowMs - busy.sinceMs > slowExecutionMs) reasons.push('EXECUTION_BUSY')
  if (progress.signerAway) reasons.push('SIGNER_AWAY')
  if (progress.signerRefuses) reasons.push('SIGNER_REFUSES')
  if (l1.lastSuccessMs === null || nowMs - l1.lastSuccessMs > staleL1Ms || l1.behind > staleL1Blocks)
    reasons.push('L1_STALE')
  return reasons
}

/** The reason as the end of the sentence "It is not ready to lead: …". */
export const notReadyWords: Readonly<Record<NotReadyReason, string>> = {
  NOT_A_SEQUENCER: 'it has no consensus key',
  NOT_IN_SET: 'its key is not in the sequencer set',
  PROTOCOL_VERSION_UNKNOWN: 'it lacks a protocol version of the network and must be upgraded',
  PROTOCOL_VERSION_NOT_ADOPTED: 'its network file has a protocol version that the network did not take',
  SYNCING: 'it is behind its peers',
  NO_QUORUM_CONNECTED: 'it is connected to less than a quorum',
  EXECUTION_BUSY: `its execution has been busy with one task for more than ${slowExecutionMs} ms`,
  SIGNER_AWAY: 'its signer process does not answer',
  SIGNER_REFUSES: 'its signer refused the last signature that was asked for',
  L1_STALE: 'its view of L1 is old',
}
