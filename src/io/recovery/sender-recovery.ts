import type { Address, TransactionHash } from '../../base/primitives/hashes.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { Wei } from '../../base/primitives/quantities.js'
import type { TransactionType } from '../../base/protocol/transaction.js'

/** A transaction whose sender is known, summed up: what admission asks of it without decoding it again. */
export interface RecoveredTransaction {
  readonly refusal: null
  /** The bytes that were handed in. */
  readonly raw: Uint8Array
  readonly hash: TransactionHash
  readonly sender: Address
  readonly type: TransactionType
  /** Null for a legacy transaction without replay protection (EIP-155). */
  readonly chainId: bigint | null
  readonly nonce: number
  /** As a double: exact for every limit that a block can have. */
  readonly gasLimit: number
  readonly maxFeePerGas: Wei
  readonly maxPriorityFeePerGas: Wei
  readonly value: Wei
  /** gasLimit × maxFeePerGas + value, at most 2^256 − 1. */
  readonly cost: Wei
  /** Null creates a contract. */
  readonly to: Address | null
  readonly dataLength: number
  readonly zeroDataBytes: number
  readonly accessListAddresses: number
  readonly accessListKeys: number
  readonly authorizations: number
}

/** Bytes that are no transaction of this chain, with the sentence that a client shows. */
export interface RecoveryRefusal {
  readonly refusal: 'malformed' | 'type-not-supported' | 'invalid-signature'
  readonly message: string
}

export type RecoveryOutcome = RecoveredTransaction | RecoveryRefusal

/** Decodes transactions and recovers their senders, in the order given. The embedded one works in threads of its own. */
export interface SenderRecovery {
  /** @throws RecoveryError QUEUE_FULL when too many bytes wait, WORKER_FAILED, CLOSED */
  recover(transactions: readonly Uint8Array[]): Promise<readonly RecoveryOutcome[]>
  close(): Promise<void>
}

/** Recovery could not be done; says nothing about the transactions. */
export class RecoveryError extends MorphismError {
  override readonly name = 'RecoveryError'
  constructor(
    override readonly code: 'QUEUE_FULL' | 'WORKER_FAILED' | 'CLOSED',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, {}, options)
  }
}
