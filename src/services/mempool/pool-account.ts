import type { Address } from '../../base/primitives/hashes.js'
import type { Wei } from '../../base/primitives/quantities.js'
import type { AccountState } from '../../io/execution/execution-client.js'
import type { PooledTransaction } from './pooled-transaction.js'

/** A sender at the head with its transactions; without any it is a cached account state. */
export class PoolAccount {
  nonce: number
  balance: Wei
  hasCode: boolean
  /** Executable in order: `pending[i].nonce` is `nonce + i`. */
  readonly pending: PooledTransaction[] = []
  /** By nonce, behind a gap (or behind a full `pending`). */
  readonly queued = new Map<number, PooledTransaction>()
  pendingCost: Wei = 0n
  /** A build ended one of its transactions for its time, and none was included since. */
  isSlow = false

  constructor(
    readonly address: Address,
    state: AccountState,
  ) {
    this.nonce = state.nonce
    this.balance = state.balance
    this.hasCode = state.hasCode
  }

  get isEmpty(): boolean {
    return this.pending.length === 0 && this.queued.size === 0
  }

  /** The nonce after the last pending transaction. */
  get nextNonce(): number {
    return this.nonce + this.pending.length
  }

  at(nonce: number): PooledTransaction | undefined {
    return this.pending[nonce - this.nonce] ?? this.queued.get(nonce)
  }

  /** The transaction whose removal leaves no gap before another of its kind. */
  tail(kind: 'pending' | 'queued'): PooledTransaction | undefined {
    if (kind === 'pending') return this.pending.at(-1)
    let last: PooledTransaction | undefined
    for (const transaction of this.queued.values())
      if (last === undefined || transaction.nonce > last.nonce) last = transaction
    return last
  }

  /** The least effective tip of the pending transactions before this nonce: whatever waits for them earns no more. */
  tipBefore(nonce: number, baseFee: number): number {
    let least = Number.POSITIVE_INFINITY
    for (let at = 0; at < nonce - this.nonce; at++) least = Math.min(least, this.pending[at]!.effectiveTip(baseFee))
    return least
  }

  queuedInOrder(): PooledTransaction[] {
    return [...this.queued.values()].sort((a, b) => a.nonce - b.nonce)
  }
}
