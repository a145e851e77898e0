import type { Hex } from '../../../base/primitives/bytes.js'
import type { Address, BlockHash, Hash32, StateRoot, TransactionHash } from '../../../base/primitives/hashes.js'
import type { Height, Wei } from '../../../base/primitives/quantities.js'
import type { Block } from '../../../base/protocol/block.js'
import type { BlockHeader } from '../../../base/protocol/block-header.js'
import type { AccessListEntry } from '../../../base/protocol/transaction.js'

/** One event of a transaction. */
export interface StoredLog {
  readonly address: Address
  readonly topics: readonly Hash32[]
  readonly data: Uint8Array
}

/** What is kept of an executed transaction beyond its bytes. */
export interface StoredReceipt {
  readonly sender: Address
  readonly succeeded: boolean
  readonly gasUsed: number
  readonly cumulativeGasUsed: number
  readonly effectiveGasPrice: Wei
  readonly contractAddress: Address | null
  readonly logs: readonly StoredLog[]
}

/** A receipt without its logs, which may be a thousand times as large. */
export type StoredOutcome = Omit<StoredReceipt, 'logs'>

/** The three labelled blocks of the last fork choice. */
export interface ChainHeads {
  readonly head: BlockHeader
  readonly safe: Height
  readonly finalized: Height
}

/** Read access to the canonical chain, archive included. */
export interface ChainReader {
  heads(): ChainHeads
  hashAt(height: Height): BlockHash | null
  headerAt(height: Height): BlockHeader | null
  /** The header's logs bloom as bytes, at a fraction of what the header costs. */
  logsBloomAt(height: Height): Uint8Array | null
  blockAt(height: Height): Block | null
  heightOf(hash: BlockHash): Height | null
  receiptsAt(height: Height): readonly StoredReceipt[] | null
  /** The same without logs, at a fraction of the cost. */
  outcomesAt(height: Height): readonly StoredOutcome[] | null
  /** One receipt of a block, and the index in the block of its first log; the other receipts cost little. */
  receiptAt(height: Height, index: number): { readonly receipt: StoredReceipt; readonly firstLogIndex: number } | null
  transactionPosition(hash: TransactionHash): { readonly height: Height; readonly index: number } | null
}

export interface AccountProof {
  readonly nonce: number
  readonly balance: Wei
  readonly codeHash: Hash32
  readonly storageRoot: Hash32
  /** Trie nodes from the root down. */
  readonly accountProof: readonly Uint8Array[]
  readonly storageProof: readonly {
    readonly slot: Hash32
    readonly value: bigint
    readonly proof: readonly Uint8Array[]
  }[]
}

/** Read access to the state behind any root that this node has executed. */
export interface StateReader {
  balance(root: StateRoot, address: Address): bigint
  nonce(root: StateRoot, address: Address): number
  code(root: StateRoot, address: Address): Uint8Array
  storage(root: StateRoot, address: Address, slot: Hash32): Hash32
  proof(root: StateRoot, address: Address, slots: readonly Hash32[]): AccountProof
}

/** A message call that changes nothing (eth_call): missing fields as geth defaults them. */
export interface CallRequest {
  /** The block on whose state, and in whose environment, it runs. */
  readonly header: BlockHeader
  readonly from: Address
  readonly to: Address | null
  readonly value: Wei
  readonly data: Uint8Array
  readonly gas: number
  readonly maxFeePerGas: Wei
  readonly maxPriorityFeePerGas: Wei
  readonly accessList?: readonly { readonly address: Address; readonly storageKeys: readonly Hex[] }[]
  readonly authorizationList?: readonly unknown[]
  /** State overrides of eth_call's third parameter. */
  readonly overrides?: Readonly<
    Record<
      Address,
      {
        readonly balance?: Wei
        readonly nonce?: number
        readonly code?: Uint8Array
        readonly state?: Readonly<Record<Hash32, Hash32>>
        readonly stateDiff?: Readonly<Record<Hash32, Hash32>>
      }
    >
  >
  readonly blockOverrides?: {
    readonly number?: number
    readonly timestamp?: number
    readonly baseFeePerGas?: Wei
    readonly feeRecipient?: Address
    readonly gasLimit?: number
  }
}

/** Why a call could not even start (the message is geth's, such as 'insufficient funds for gas * price + value'), or how it ended. */
export type CallOutcome =
  | {
      readonly status: 'returned'
      readonly data: Uint8Array
      readonly gasUsed: number
      readonly logs: readonly StoredLog[]
      readonly createdAddress: Address | null
    }
  | { readonly status: 'reverted'; readonly data: Uint8Array; readonly gasUsed: number }
  | { readonly status: 'failed'; readonly message: string; readonly gasUsed: number }

/** Executes calls on a state without changing it. */
export interface CallExecutor {
  call(request: CallRequest, signal?: AbortSignal): Promise<CallOutcome>
  /**
   * Executes a call and tells what it touched that was cold: addresses, and slots also of those that are always warm (EIP-2929).
   * Parts of the call that reverted count; contracts that it created without touching their storage do not.
   */
  callWithAccesses(
    request: CallRequest,
    signal?: AbortSignal,
  ): Promise<{ readonly outcome: CallOutcome; readonly accessed: readonly AccessListEntry[] }>
}
