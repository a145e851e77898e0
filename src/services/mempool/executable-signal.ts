import type { Wei } from '../../base/primitives/quantities.js'
import type { PooledTransaction } from './pooled-transaction.js'
import type { TransactionPool } from './transaction-pool.js'

/**
 * Wakes the proposer when the pool goes from nothing executable to something. The next block's base fee may be an eighth
 * above or below the head's (EIP-1559): the pool counts as awake only with a transaction that pays the most it can be,
 * and any that pays the least wakes it, so that a wake may be needless but never missing.
 */
export class ExecutableSignal {
  private readonly handlers = new Set<() => void>()
  private isAwake = false
  private least: Wei = 0n
  private most: Wei = 0n

  constructor(
    private readonly pool: Pick<TransactionPool, 'hasExecutable'>,
    baseFee: Wei,
  ) {
    this.setBaseFee(baseFee)
  }

  subscribe(handler: () => void): () => void {
    this.handlers.add(handler)
    return () => this.handlers.delete(handler)
  }

  onHead(baseFee: Wei): void {
    this.setBaseFee(baseFee)
    this.recount()
  }

  /** Transactions left the pool. */
  recount(): void {
    const wasAwake = this.isAwake
    this.isAwake = this.pool.hasExecutable(this.most)
    if (this.isAwake && !wasAwake) this.fire()
  }

  onPromoted(transactions: readonly PooledTransaction[]): void {
    if (this.isAwake) return
    if (!transactions.some(({ maxFeePerGas }) => maxFeePerGas >= this.least)) return
    this.isAwake = this.pool.hasExecutable(this.most)
    this.fire()
  }

  private setBaseFee(baseFee: Wei): void {
    this.least = baseFee - baseFee / 8n
    this.most = baseFee + baseFee / 8n + 1n
  }

  private fire(): void {
    for (const handler of this.handlers) handler()
  }
}
