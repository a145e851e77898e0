import type { Address, TransactionHash } from '../../base/primitives/hashes.js'
import type { Wei } from '../../base/primitives/quantities.js'
import type { ExecutionClient, HeadChange, SkippedTransaction } from '../../io/execution/execution-client.js'
import type { Peer } from '../../io/network/peer-network.js'
import type { SenderRecovery } from '../../io/recovery/sender-recovery.js'
import type { AppendLog } from '../../io/storage/append-log.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import type { AdmissionsConfig } from './admissions.js'
import type { PooledTransaction } from './pooled-transaction.js'
import type { Selection, SelectionLimits } from './selection.js'
import type { SubmissionResult } from './submission-result.js'
import type { TransactionFate } from './transaction-fate.js'
import type { GossipConfig, GossipNetwork } from './transaction-gossip.js'
import type { JournalOptions } from './transaction-journal.js'
import type { PoolLimits } from './transaction-pool.js'

/** Limits and intervals; `defaultMempoolConfig` names the usual ones. */
export interface MempoolConfig extends PoolLimits, AdmissionsConfig, GossipConfig, JournalOptions {
  /** How long a transaction may wait behind a nonce gap. */
  readonly queuedLifetimeMs: number
}

/**
 * Defaults: 256 pending and 64 queued transactions an account (geth guarantees 16 and 64: here one account may fill
 * several blocks), 20,000 and 4,096 in all, 64 MiB; three hours behind a gap, as
 * in geth.
 */
export const defaultMempoolConfig: Omit<MempoolConfig, 'chainId' | 'blockGasLimit' | 'baseFeePerGas'> = {
  maxTransactionGas: null,
  minTip: 0n,
  maxPendingPerAccount: 256,
  maxQueuedPerAccount: 64,
  maxPending: 20_000,
  maxQueued: 4_096,
  maxBytes: 64 * 1024 * 1024,
  maxIdleAccounts: 50_000,
  maxRecent: 50_000,
  maxRecentBytes: 32 * 1024 * 1024,
  coalesceMs: 2,
  maxUnprocessedBytes: 16 * 1024 * 1024,
  maxUnprocessedBytesPerPeer: 2 * 1024 * 1024,
  gossipIntervalMs: 3,
  resendIntervalMs: 3_000,
  maxSyncBytes: 2 * 1024 * 1024,
  journalIntervalMs: 5,
  maxJournalBytes: 4 * 1024 * 1024,
  queuedLifetimeMs: 3 * 3_600_000,
}

export interface MempoolPorts {
  readonly recovery: Pick<SenderRecovery, 'recover'>
  readonly accounts: Pick<ExecutionClient, 'accounts'>
  readonly network: GossipNetwork
  readonly journal: AppendLog
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Whether this node is a sequencer now. */
  readonly isSequencer: boolean
  /** Whether the peer's consensus key belongs to the current set. */
  readonly isSequencerPeer: (peer: Peer) => boolean
  /** Sequencers in the set: a full node connected to all of them need not ask one to relay. Unknown when absent. */
  readonly sequencerCount?: () => number
}

/** A pooled transaction as readers see it. */
export type PooledView = Pick<PooledTransaction, 'raw' | 'hash' | 'sender' | 'nonce'>

/** An account's transactions by nonce. */
export interface AccountContent {
  readonly pending: readonly PooledView[]
  readonly queued: readonly PooledView[]
}

/** The transactions that wait for a block, in memory and, as far as this node promised to keep them, on disk. */
export interface Mempool extends AsyncDisposable {
  /** For eth_sendRawTransaction: resolves with the hash once the transaction is pooled and survives a crash. */
  addRaw(raw: Uint8Array): Promise<SubmissionResult>
  addMany(raws: readonly Uint8Array[]): Promise<SubmissionResult[]>
  /** Candidates for a block on the head, best first. */
  select(limits: SelectionLimits): Selection
  /** A new head: included transactions leave, others move up or fall out. */
  onHead(change: HeadChange): void
  /** What a build left out: invalid ones leave, their followers wait. */
  discard(skipped: readonly SkippedTransaction[]): void
  /** Whether a transaction could go into the next block, or into one with this base fee. */
  hasExecutable(baseFee?: Wei): boolean
  /** Called when a transaction becomes executable and none was before; the returned function unsubscribes. */
  onExecutable(handler: () => void): () => void
  /** Senders of transactions that are or were pooled, null for others; for blocks that others propose. */
  sendersOf(raws: readonly Uint8Array[]): (Address | null)[]
  /** The nonce after the account's pending transactions. */
  pendingNonce(address: Address): Promise<number>
  transaction(hash: TransactionHash): PooledView | null
  /** What a transaction waits for, or why it left the pool; null when it is not known, or not any more. */
  fate(hash: TransactionHash): TransactionFate | null
  content(): ReadonlyMap<Address, AccountContent>
  contentFrom(address: Address): AccountContent
  status(): { readonly pending: number; readonly queued: number }
  /** As `content`, each transaction as geth's one-line summary by nonce. */
  inspect(): ReadonlyMap<Address, InspectedAccount>
  /** Called with what became executable, a batch at a time; the returned function unsubscribes. */
  onPending(handler: (transactions: readonly PooledView[]) => void): () => void
}

/** Summaries by nonce, in order. */
export interface InspectedAccount {
  readonly pending: ReadonlyMap<number, string>
  readonly queued: ReadonlyMap<number, string>
}
