import type { Address, TransactionHash } from '../../base/primitives/hashes.js'
import type { Wei } from '../../base/primitives/quantities.js'
import type { RecoveredTransaction } from '../../io/recovery/sender-recovery.js'

/** Where a transaction stands: executable, behind a gap, in a block, or out for another reason. */
export type PoolPlace = 'pending' | 'queued' | 'included' | 'dropped'

/** Why a transaction left the pool without being included. */
export type DropReason = 'replaced' | 'outbid' | 'unaffordable' | 'invalid' | 'slow' | 'expired'

/** A transaction that the pool holds or held a moment ago. */
export class PooledTransaction {
  /** EIP-2718 encoding in a buffer of its own, so that it pins no message and crosses threads alone. */
  readonly raw: Uint8Array
  readonly hash: TransactionHash
  readonly sender: Address
  readonly nonce: number
  readonly gasLimit: number
  readonly maxFeePerGas: Wei
  readonly maxPriorityFeePerGas: Wei
  readonly cost: Wei
  /** The fees as doubles: order among candidates needs no more, and heaps compare them a hundred times a candidate. */
  readonly fee: number
  readonly tip: number
  /** Rises with every arrival: breaks ties between equal tips. */
  readonly arrival: number
  /** Accepted by this node over RPC: journaled and sent again until it is included. */
  readonly isLocal: boolean
  /** When it came, in ms of the clock. */
  readonly receivedMs: number
  /** When it was last sent to the sequencers, in ms of the clock. */
  sentMs: number
  place: PoolPlace = 'queued'
  /** Builds that left it out because it took too long. */
  slowBuilds = 0
  /** Set once its place is `dropped`. */
  dropReason: DropReason | null = null

  constructor(
    transaction: RecoveredTransaction,
    { arrival, isLocal, nowMs }: { arrival: number; isLocal: boolean; nowMs: number },
  ) {
    const { raw } = transaction
    this.raw = raw.byteLength === raw.buffer.byteLength && raw.constructor === Uint8Array ? raw : new Uint8Array(raw)
    this.hash = transaction.hash
    this.sender = transaction.sender
    this.nonce = transaction.nonce
    this.gasLimit = transaction.gasLimit
    this.maxFeePerGas = transaction.maxFeePerGas
    this.maxPriorityFeePerGas = transaction.maxPriorityFeePerGas
    this.cost = transaction.cost
    this.fee = Number(this.maxFeePerGas)
    this.tip = Number(this.maxPriorityFeePerGas)
    this.arrival = arrival
    this.isLocal = isLocal
    this.receivedMs = nowMs
    this.sentMs = nowMs
  }

  /** What the proposer earns per gas, in wei; negative when the base fee is not covered. */
  effectiveTip(baseFee: number): number {
    return Math.min(this.tip, this.fee - baseFee)
  }
}
