import { type EvictionCandidate, EvictionOrder, worthOf } from './eviction-order.js'
import type { PoolAccount } from './pool-account.js'
import type { PooledTransaction } from './pooled-transaction.js'

/** A transaction that wants into a full pool, and the place that it would have there. */
export interface Newcomer {
  readonly account: PoolAccount
  readonly transaction: PooledTransaction
  readonly kind: 'pending' | 'queued'
}

/** Who has to leave a full pool for whom. */
export class Evictions {
  private readonly pending: EvictionOrder
  private readonly queued: EvictionOrder

  constructor(executable: ReadonlySet<PoolAccount>, gapped: ReadonlySet<PoolAccount>) {
    this.pending = new EvictionOrder('pending', executable)
    this.queued = new EvictionOrder('queued', gapped)
  }

  /** The transaction to push out, of the newcomer's own kind where that is what is full; null when the newcomer is not worth it. */
  victimOf(newcomer: Newcomer, { isKindFull, baseFee }: { isKindFull: boolean; baseFee: number }) {
    const { account, kind } = newcomer
    const victim = isKindFull ? this[kind].cheapest(account, baseFee) : this.cheapestOfAll(account, baseFee)
    return victim !== null && mayPushOut(newcomer, victim, baseFee) ? victim : null
  }

  /** The account has another state or other transactions. */
  changed(account: PoolAccount, baseFee: number): void {
    this.pending.changed(account, baseFee)
    this.queued.changed(account, baseFee)
  }

  baseFeeChanged(): void {
    this.pending.baseFeeChanged()
    this.queued.baseFeeChanged()
  }

  private cheapestOfAll(keep: PoolAccount, baseFee: number): EvictionCandidate | null {
    const queued = this.queued.cheapest(keep, baseFee)
    const pending = this.pending.cheapest(keep, baseFee)
    if (queued === null || pending === null) return queued ?? pending
    return pending.tip < 0 && pending.tip < queued.tip ? pending : queued
  }
}

/** What can go into a block goes before what cannot; else the better tip does, and of equals the local one. */
function mayPushOut({ account, transaction, kind }: Newcomer, victim: EvictionCandidate, baseFee: number): boolean {
  const tip = worthOf(account, { transaction, kind, baseFee })
  const isExecutable = kind === 'pending' && tip >= 0
  const isVictimExecutable = victim.transaction.place === 'pending' && victim.tip >= 0
  if (isExecutable !== isVictimExecutable) return isExecutable
  return tip > victim.tip || (tip === victim.tip && transaction.isLocal && !victim.transaction.isLocal)
}
