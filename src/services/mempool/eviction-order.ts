import { Heap } from '../../base/primitives/heap.js'
import type { PoolAccount } from './pool-account.js'
import type { PooledTransaction } from './pooled-transaction.js'

/** The last transaction of an account, and what it would earn per gas, in wei. */
export interface EvictionCandidate {
  readonly account: PoolAccount
  readonly transaction: PooledTransaction
  readonly tip: number
}

/**
 * The cheapest transactions that a full pool may give up: tails of accounts. The order is made when it is needed and kept until the
 * base fee changes; what is not the newest word on an account is skipped.
 */
export class EvictionOrder {
  private order: Heap<EvictionCandidate> | null = null
  /** What the order holds of each account, apart from what is to be skipped. */
  private readonly newest = new Map<PoolAccount, EvictionCandidate>()

  constructor(
    private readonly kind: 'pending' | 'queued',
    private readonly accounts: ReadonlySet<PoolAccount>,
  ) {}

  /** The cheapest candidate that is not of the account to keep, or null; it stays a candidate until it is removed. */
  cheapest(keep: PoolAccount, baseFee: number): EvictionCandidate | null {
    this.order ??= this.build(baseFee)
    const cheapest = this.cheapestTail()
    if (cheapest?.account !== keep) return cheapest
    this.order.pop()
    const next = this.cheapestTail()
    this.order.push(cheapest)
    return next
  }

  /** The account may have another tail. */
  changed(account: PoolAccount, baseFee: number): void {
    if (this.order === null) return
    const candidate = this.candidateOf(account, baseFee)
    if (candidate) this.order.push(candidate)
    // What is skipped some day must not pile up until then.
    if (this.order.size > 4 * this.accounts.size + 64) this.order = null
  }

  /** Tips are others now. */
  baseFeeChanged(): void {
    this.order = null
  }

  private cheapestTail(): EvictionCandidate | null {
    const order = this.order!
    for (let top = order.top; top !== undefined; top = order.top) {
      if (this.newest.get(top.account) === top) return top
      order.pop()
    }
    return null
  }

  private build(baseFee: number): Heap<EvictionCandidate> {
    this.newest.clear()
    const candidates = [...this.accounts].flatMap(account => this.candidateOf(account, baseFee) ?? [])
    return Heap.of(candidates, goesFirst)
  }

  private candidateOf(account: PoolAccount, baseFee: number): EvictionCandidate | null {
    const transaction = account.tail(this.kind)
    if (transaction === undefined) {
      this.newest.delete(account)
      return null
    }
    const candidate = { account, transaction, tip: worthOf(account, { transaction, kind: this.kind, baseFee }) }
    this.newest.set(account, candidate)
    return candidate
  }
}

/** What a transaction earns per gas, in wei, where it stands. */
export function worthOf(
  account: PoolAccount,
  { transaction, kind, baseFee }: { transaction: PooledTransaction; kind: 'pending' | 'queued'; baseFee: number },
): number {
  const tip = transaction.effectiveTip(baseFee)
  return kind === 'queued' ? tip : Math.min(tip, account.tipBefore(transaction.nonce, baseFee))
}

/** Of equal tips remote ones go before local ones, then later ones before earlier ones. */
function goesFirst(a: EvictionCandidate, b: EvictionCandidate): boolean {
  if (a.tip !== b.tip) return a.tip < b.tip
  const [first, second] = [a.transaction, b.transaction]
  if (first.isLocal !== second.isLocal) return second.isLocal
  return first.arrival > second.arrival
}
