import type { TransactionHash } from '../../base/primitives/hashes.js'
import type { PooledTransaction } from './pooled-transaction.js'

const tailBytes = 16

/** Limits of what is remembered of transactions that left the pool. */
export interface KnownTransactionsConfig {
  readonly maxRecent: number
  readonly maxRecentBytes: number
}

/**
 * Finds a pooled or recently removed transaction by its bytes without hashing them: the last 16 bytes (of the signature's
 * s) are the key, and the whole is compared. Whoever forges a collision only hides one of the two from this index.
 */
export class KnownTransactions {
  private readonly byTail = new Map<string, PooledTransaction>()
  private readonly dropped = new Map<TransactionHash, PooledTransaction>()
  /** Removed ones, oldest first from `first`. */
  private recent: PooledTransaction[] = []
  private first = 0
  private recentBytes = 0

  constructor(private readonly config: KnownTransactionsConfig) {}

  find(raw: Uint8Array): PooledTransaction | null {
    const transaction = this.byTail.get(tailOf(raw))
    return transaction !== undefined && Buffer.compare(transaction.raw, raw) === 0 ? transaction : null
  }

  /** One that left the pool without being included. */
  findDropped(hash: TransactionHash): PooledTransaction | null {
    return this.dropped.get(hash) ?? null
  }

  add(transaction: PooledTransaction): void {
    this.dropped.delete(transaction.hash)
    this.byTail.set(tailOf(transaction.raw), transaction)
  }

  /** Keeps a removed transaction for a while. */
  retire(transaction: PooledTransaction): void {
    this.recent.push(transaction)
    if (transaction.place === 'dropped') this.dropped.set(transaction.hash, transaction)
    this.recentBytes += transaction.raw.length
    while (this.recent.length - this.first > this.config.maxRecent || this.recentBytes > this.config.maxRecentBytes)
      this.forgetOldest()
  }

  private forgetOldest(): void {
    const oldest = this.recent[this.first++]!
    this.recentBytes -= oldest.raw.length
    if (this.dropped.get(oldest.hash) === oldest) this.dropped.delete(oldest.hash)
    const tail = tailOf(oldest.raw)
    if (this.byTail.get(tail) === oldest) this.byTail.delete(tail)
    if (this.first > 1024 && this.first * 2 > this.recent.length) {
      this.recent = this.recent.slice(this.first)
      this.first = 0
    }
  }
}

/** The last bytes of a transaction as a map key. */
export function tailOf(raw: Uint8Array): string {
  const start = Math.max(0, raw.length - tailBytes)
  return Buffer.from(raw.buffer, raw.byteOffset + start, raw.length - start).toString('latin1')
}
