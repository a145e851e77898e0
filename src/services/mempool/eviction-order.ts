import type { PoolAccount } from './pool-account.js'
import type { PooledTransaction } from './pooled-transaction.js'

/** Accounts that a call may visit, on average. */
const accountsPerCall = 64

/** A remote transaction that may go, and what it would have earned per gas. */
export interface EvictionCandidate {
  readonly account: PoolAccount
  readonly transaction: PooledTransaction
  readonly tip: number
}

/**
 * The cheapest transactions that a full pool may give up: remote tails of accounts. The order is made once and used up
 * before it is made again, so that a flood costs a sort per many evictions; entries that are no tails any more are skipped.
 */
export class EvictionOrder {
  private candidates: EvictionCandidate[] = []
  private credit = 0

  constructor(
    private readonly kind: 'pending' | 'queued',
    private readonly accounts: ReadonlySet<PoolAccount>,
  ) {}

  /** The cheapest candidate that is not of the account to keep, or null; it stays a candidate until it is removed. */
  cheapest(keep: PoolAccount, baseFee: number): EvictionCandidate | null {
    this.credit += accountsPerCall
    const found = this.search(keep)
    if (found !== null) return found
    // A pool with hardly anything to give up must not be walked for every transaction that wants in.
    if (this.credit < this.accounts.size) return null
    this.credit = 0
    this.rebuild(baseFee)
    return this.search(keep)
  }

  private search(keep: PoolAccount): EvictionCandidate | null {
    const { candidates } = this
    while (candidates.length > 0 && !this.isTail(candidates.at(-1)!)) candidates.pop()
    const last = candidates.at(-1)
    if (last === undefined || last.account !== keep) return last ?? null
    for (let at = candidates.length - 2; at >= 0; at--) if (this.isTail(candidates[at]!)) return candidates[at]!
    return null
  }

  private isTail({ account, transaction }: EvictionCandidate): boolean {
    return transaction.place === this.kind && account.tail(this.kind) === transaction
  }

  private rebuild(baseFee: number): void {
    this.candidates = []
    for (const account of this.accounts) {
      const transaction = account.tail(this.kind)
      if (transaction !== undefined && !transaction.isLocal)
        this.candidates.push({ account, transaction, tip: transaction.effectiveTip(baseFee) })
    }
    // Worst last, where taking one is cheap; of equals the latest goes first.
    this.candidates.sort((a, b) => b.tip - a.tip || a.transaction.arrival - b.transaction.arrival)
  }
}
