import type { Address, BlockHash, Hash32, StateRoot, TransactionHash } from '../../base/primitives/hashes.js'
import type { Height, Wei } from '../../base/primitives/quantities.js'
import type { Block } from '../../base/protocol/block.js'
import type { BlockContext } from '../../base/protocol/block-context.js'
import type { BlockHeader } from '../../base/protocol/block-header.js'
import type { Withdrawal } from '../../base/protocol/withdrawal.js'

/** What a new block is built from (Engine API PayloadAttributesV3, and the exact transactions to try). */
export interface BlockAttributes {
  readonly parentHash: BlockHash
  readonly height: Height
  /** Seconds. */
  readonly timestamp: number
  readonly feeRecipient: Address
  readonly prevRandao: Hash32
  readonly gasLimit: number
  readonly context: BlockContext
  readonly withdrawals: readonly Withdrawal[]
  /** Candidates in order, EIP-2718 encoded. */
  readonly transactions: readonly Uint8Array[]
  /** Senders already recovered by this node, aligned with the transactions; null where unknown. Never taken from a peer. */
  readonly senders?: readonly (Address | null)[]
  /** Milliseconds that the transactions may take together, and half of it each; what takes longer is left out. For ever unless told. */
  readonly timeLimitMs?: number
  /** Leave out transactions that cannot execute here (a proposer) or fail on the first (derivation). */
  readonly onInvalidTransaction: 'skip' | 'fail'
}

/** A candidate that did not make it into the built block. */
export interface SkippedTransaction {
  readonly hash: TransactionHash
  /**
   * 'no-room' when the block's gas or time was used up, 'too-slow' when half of the time was not enough for this one;
   * otherwise the transaction cannot execute at all now.
   */
  readonly reason:
    | 'no-room'
    | 'too-slow'
    | 'nonce-too-low'
    | 'nonce-too-high'
    | 'insufficient-funds'
    | 'fee-too-low'
    | 'invalid'
  readonly detail: string
}

export interface BuiltBlock {
  readonly block: Block
  readonly skipped: readonly SkippedTransaction[]
}

/** Answer to importing a block (Engine API PayloadStatusV1). */
export type PayloadStatus =
  | { readonly status: 'VALID' }
  | { readonly status: 'INVALID'; readonly reason: string }
  /** The parent is not known here. */
  | { readonly status: 'SYNCING' }
  /** Its transactions took longer than they were given: that says nothing of the block. */
  | { readonly status: 'TIMED_OUT' }

/** Head of the executed chain and the ages of finality behind it (Engine API ForkchoiceStateV1). */
export interface ForkchoiceState {
  readonly head: BlockHash
  readonly safe: BlockHash
  readonly finalized: BlockHash
}

/** What the mempool needs to know of a sender at the head. */
export interface AccountState {
  readonly nonce: number
  readonly balance: Wei
  /** Whether the account has code other than an EIP-7702 delegation. */
  readonly hasCode: boolean
}

/** A change of the head, as subscribers and the mempool hear it. */
export interface HeadChange {
  readonly block: Block
  /** Accounts whose nonce or balance the block changed. */
  readonly touched: readonly (AccountState & { readonly address: Address })[]
  /** Logs of the block in eth_getLogs form, for subscriptions. */
  readonly logs: readonly unknown[]
}

/** An error that a JSON-RPC caller sees: standard code, geth-like message, optional data (revert bytes). */
export interface RpcErrorShape {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** An account after a block. */
export interface DiffedAccount {
  readonly address: Address
  readonly nonce: number
  readonly balance: Wei
  readonly codeHash: Hash32
  readonly storageRoot: StateRoot
}

/** The accounts that a block changed by this client's own execution, to be compared with another client's. */
export interface BlockStateDiff {
  readonly blockHash: BlockHash
  readonly height: Height
  /** What the block's header claims, and what this client computed. */
  readonly claimedStateRoot: StateRoot
  readonly computedStateRoot: StateRoot
  /** Changed accounts by address, at most `maxDiffedAccounts`; one that ended is empty. */
  readonly accounts: readonly DiffedAccount[]
  /** How many there are in all. */
  readonly changed: number
}

/** Most accounts that a BlockStateDiff names. */
export const maxDiffedAccounts = 4_096

/** On whose behalf something is asked. */
export interface Asker {
  /** Callers that wait are answered in turn; all that name none are one. */
  readonly caller?: unknown
  /** Withdraws what was asked. */
  readonly signal?: AbortSignal
}

/**
 * The execution client behind a node, shaped like the Engine API so that an unmodified Ethereum client can stand here.
 * Blocks between head and candidates are kept in memory; the head and everything behind it are durable.
 */
export interface ExecutionClient {
  /** Executes the candidates on the parent and returns the finished block; it is known as a candidate afterwards. */
  buildBlock(attributes: BlockAttributes): Promise<BuiltBlock>
  /**
   * Re-executes a block and compares every root; a VALID block is known as a candidate (engine_newPayload). Within `limitMs`
   * milliseconds, or however long it takes.
   */
  newPayload(block: Block, senders?: readonly (Address | null)[], limitMs?: number): Promise<PayloadStatus>
  /** Makes a known block the head, durably before it resolves; resolves null when the head is unchanged (engine_forkchoiceUpdated). */
  forkchoiceUpdated(state: ForkchoiceState): Promise<HeadChange | null>
  head(): Promise<{ readonly hash: BlockHash; readonly header: BlockHeader }>
  /** Heights of the safe and the finalized block of the last fork choice, also after a restart. */
  labels(): Promise<{ readonly safe: Height; readonly finalized: Height }>
  /** A block of the canonical chain with its context, by height. */
  blockAt(height: Height): Promise<Block | null>
  /** The context alone of a block of the canonical chain, for a caller: not before what others wait for. */
  contextAt(height: Height, asker?: Asker): Promise<BlockContext | null>
  blockByHash(hash: BlockHash): Promise<Block | null>
  stateRootAt(height: Height): Promise<StateRoot | null>
  /** Word of an account's storage at a canonical height. */
  storageAt(address: Address, slot: Hash32, height: Height): Promise<Hash32>
  /** States at the head. */
  accounts(addresses: readonly Address[]): Promise<readonly AccountState[]>
  /**
   * What a block changed: of one of the last few that did not come to the roots they claim, or of the canonical chain,
   * executed once more on its parent's state. Null for any other.
   */
  stateDiffOf(blockHash: BlockHash, asker?: Asker): Promise<BlockStateDiff | null>
  /**
   * Answers a read-only `eth_` method with JSON-RPC values (eth_call, eth_getBalance, eth_getBlockByNumber, eth_getLogs,
   * eth_getProof, …); block tags latest, safe, finalized, earliest, pending are resolved here from the last fork choice.
   * Rejects with an ExecutionRpcError (RpcErrorShape).
   */
  request(method: string, params: readonly unknown[], asker?: Asker): Promise<unknown>
  /** The same as JSON text, which a large answer is cheaper to pass on as. */
  requestText(method: string, params: readonly unknown[], asker?: Asker): Promise<string>
  close(): Promise<void>
}
