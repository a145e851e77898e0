import type { Address, TransactionHash } from '../../base/primitives/hashes.js'
import type { Height } from '../../base/primitives/quantities.js'
import type { Result } from '../../base/primitives/result.js'
import type { ExecutionClient, HeadChange } from '../../io/execution/execution-client.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import type { MorphismQueries } from './morphism-queries.js'

/** Why the mempool refuses a transaction: a JSON-RPC code and a text like geth's (`nonce too low: next nonce 5, tx nonce 4`). */
export interface AdmissionRefusal {
  readonly code: number
  readonly message: string
}

/** A transaction that waits to be mined; `raw` is its EIP-2718 encoding. */
export interface PooledTransaction {
  readonly raw: Uint8Array
  readonly hash: TransactionHash
  readonly sender: Address
  readonly nonce: number
}

/** Where a transaction that is in no block stands, and why. */
export interface TransactionFate {
  readonly place: 'pending' | 'queued' | 'dropped'
  readonly sentence: string
}

/** Waiting transactions of one account, by nonce: executable ones, and those behind a gap. */
export interface AccountContent {
  readonly pending: readonly PooledTransaction[]
  readonly queued: readonly PooledTransaction[]
}

/** What the server asks of the mempool. */
export interface TransactionPool {
  /** Admits an EIP-2718 encoded transaction, or says why not. */
  addRaw(raw: Uint8Array): Promise<Result<TransactionHash, AdmissionRefusal>>
  /** The account's next nonce, waiting transactions counted. */
  pendingNonce(address: Address): Promise<number>
  transaction(hash: TransactionHash): PooledTransaction | null
  /** What a transaction waits for, or why it left the pool; null when it is not known, or not any more. */
  fate(hash: TransactionHash): TransactionFate | null
  content(): ReadonlyMap<Address, AccountContent>
  contentFrom(address: Address): AccountContent
  /** Numbers of waiting transactions. */
  status(): { readonly pending: number; readonly queued: number }
  /** Calls the handler with what became executable, a batch at a time; the returned function ends it. */
  onPending(handler: (transactions: readonly PooledTransaction[]) => void): () => void
}

/** Announces each new head, in order. */
export interface HeadSource {
  onHead(handler: (change: HeadChange) => void): () => void
}

/** How far a node that is behind has come. */
export interface SyncProgress {
  readonly startingBlock: Height
  readonly currentBlock: Height
  readonly highestBlock: Height
}

/** What the server asks about the node's peers. */
export interface NetworkStatus {
  peerCount(): number
  /** Null when the node is not behind. */
  syncing(): SyncProgress | null
}

/** Everything that the JSON-RPC server uses. */
export interface RpcPorts {
  readonly execution: Pick<ExecutionClient, 'request' | 'requestText'>
  readonly mempool: TransactionPool
  readonly heads: HeadSource
  readonly network: NetworkStatus
  readonly morphism: MorphismQueries
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** The server can take no more connections, and has to be started again. */
  readonly onFailure?: (error: unknown) => void
}
