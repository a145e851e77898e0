import type { BatchHash, Hash32, L1BlockHash } from '../../base/primitives/hashes.js'
import type { BatchIndex, L1BlockNumber, SetId } from '../../base/primitives/quantities.js'
import type { BatchHeader } from '../../base/protocol/batch-header.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'

/** Header of an L1 block. */
export interface L1Block {
  readonly number: L1BlockNumber
  readonly hash: L1BlockHash
  readonly parentHash: L1BlockHash
  /** Seconds. */
  readonly timestamp: number
}

/** An event of the L1 contracts that L2 nodes follow, in L1 order. */
export type L1Event =
  | { readonly type: 'message'; readonly message: L1Message; readonly rollingHash: Hash32 }
  | {
      readonly type: 'batch-committed'
      readonly batchIndex: BatchIndex
      readonly batchHash: BatchHash
      readonly setId: SetId
      readonly absent: bigint
      readonly transactionHash: Hash32
      readonly l1BlockNumber: L1BlockNumber
    }
  | {
      readonly type: 'batch-finalized'
      readonly batchIndex: BatchIndex
      readonly batchHash: BatchHash
      readonly l1BlockNumber: L1BlockNumber
    }

/** What commitBatch was called with, decoded from the transaction. */
export interface CommittedBatch {
  readonly header: BatchHeader
  readonly absent: bigint
  /** 96 bytes compressed. */
  readonly signature: Uint8Array
  readonly blobVersionedHashes: readonly Hash32[]
}

/** A blob with what its transaction needs: 131,072 bytes, commitment, versioned hash (EIP-4844) and cell proofs (EIP-7594). */
export interface BlobSidecar {
  readonly blob: Uint8Array
  readonly commitment: Uint8Array
  readonly versionedHash: Hash32
  readonly cellProofs: readonly Uint8Array[]
}

/** Outcome of a sent L1 transaction. */
export type L1TransactionOutcome =
  | { readonly status: 'pending' }
  | { readonly status: 'success' | 'reverted'; readonly transactionHash: Hash32; readonly l1BlockNumber: L1BlockNumber }

/** Reads of the L1 chain and of Morphism's contracts there. All throw L1Error (L1_UNREACHABLE, L1_BAD_ANSWER). */
export interface L1Reader {
  head(): Promise<L1Block>
  finalized(): Promise<L1Block>
  block(number: L1BlockNumber): Promise<L1Block | null>
  /** Events of MessageQueue and Rollup in [from, to], ordered by block and log index. */
  events(range: { from: L1BlockNumber; to: L1BlockNumber }): Promise<L1Event[]>
  committedBatch(transactionHash: Hash32): Promise<CommittedBatch | null>
  blobs(args: { l1BlockNumber: L1BlockNumber; versionedHashes: readonly Hash32[] }): Promise<Uint8Array[]>
  sequencerSet(setId: SetId): Promise<SequencerSet | null>
  lastCommittedBatch(): Promise<BatchIndex>
  lastFinalizedBatch(): Promise<BatchIndex>
  /** Seconds of L1 time when the batch was committed, or null. */
  committedAt(batchIndex: BatchIndex): Promise<number | null>
}

/** A refusal by a contract: the named Solidity error. */
export interface ContractRefusal {
  readonly errorName: string
  readonly detail: string
}

/** Sends Morphism's L1 transactions from the submitter's account, one nonce at a time, with fee bumps when one is stuck. */
export interface L1Submitter {
  readonly address: `0x${string}`
  /** Asks L1 by eth_call whether commitBatch would be accepted now. */
  wouldCommit(args: CommitBatchArguments): Promise<ContractRefusal | null>
  /** Asks L1 by eth_call whether finalizeBatch of the last would be accepted now. */
  wouldFinalize(batches: BatchRange): Promise<ContractRefusal | null>
  /** Resolves when the transaction is in an L1 block (success or reverted) or given up after bumps; @throws L1Error */
  commitBatch(args: CommitBatchArguments, signal?: AbortSignal): Promise<L1TransactionOutcome>
  /** Makes the last final and with it all before; its gas is bought for these. */
  finalizeBatch(batches: BatchRange, signal?: AbortSignal): Promise<L1TransactionOutcome>
}

/** Batches from one to another, both included. */
export interface BatchRange {
  readonly first: BatchIndex
  readonly last: BatchIndex
}

export interface CommitBatchArguments {
  readonly header: BatchHeader
  readonly absent: bigint
  /** 96 bytes compressed; converted to EIP-2537 coding here. */
  readonly signature: Uint8Array
  readonly blobs: readonly BlobSidecar[]
}
