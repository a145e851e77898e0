import type { Address, TransactionHash } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Wei } from '../../base/primitives/quantities.js'
import type { AccountState, HeadChange, SkippedTransaction } from '../../io/execution/execution-client.js'
import type { RecoveredTransaction } from '../../io/recovery/sender-recovery.js'
import { type AdmissionReason, checkSender, checkTransaction, mayReplace } from '../../rules/blocks/admission.js'
import { leastBaseFee, nextBaseFee } from '../../rules/blocks/base-fee.js'
import { Evictions, type Newcomer } from './evictions.js'
import { KnownTransactions } from './known-transactions.js'
import { PoolAccount } from './pool-account.js'
import { type DropReason, PooledTransaction } from './pooled-transaction.js'
import { type Selection, type SelectionLimits, selectTransactions } from './selection.js'
import { dropSentences, type TransactionFate, waitSentence } from './transaction-fate.js'

/** Limits of the pool; counts are of transactions. */
export interface PoolLimits {
  readonly chainId: bigint
  readonly blockGasLimit: number
  /** Base fee of the next block at the start; heads tell it from then on. */
  readonly baseFeePerGas: Wei
  /** Cap of EIP-7825 where the hardfork has it, else null. */
  readonly maxTransactionGas: number | null
  readonly minTip: Wei
  readonly maxPendingPerAccount: number
  readonly maxQueuedPerAccount: number
  readonly maxPending: number
  readonly maxQueued: number
  readonly maxBytes: number
  /** Accounts without transactions whose state is remembered. */
  readonly maxIdleAccounts: number
  readonly maxRecent: number
  readonly maxRecentBytes: number
}

export type PoolReason =
  | AdmissionReason
  | 'already-known'
  | 'replacement-underpriced'
  | 'account-limit'
  | 'pool-full'
  | 'too-slow'

/** Why the pool does not take a transaction, with the sentence that a JSON-RPC client sees. */
export interface PoolRefusal {
  readonly reason: PoolReason
  readonly message: string
}

/** A machine may be busy once or twice. */
const maxSlowBuilds = 3
const poolFull: PoolRefusal = { reason: 'pool-full', message: 'txpool is full' }

/**
 * The transactions themselves: synchronous, no I/O. Totals never pass maxPending + maxQueued; a kind alone may for a
 * while, when a block or a gap moves transactions from one to the other.
 */
export class TransactionPool {
  private readonly accounts = new Map<Address, PoolAccount>()
  private readonly byHash = new Map<TransactionHash, PooledTransaction>()
  private readonly executable = new Set<PoolAccount>()
  private readonly gapped = new Set<PoolAccount>()
  private readonly evictions = new Evictions(this.executable, this.gapped)
  /** Local ones in order of arrival. */
  readonly locals = new Set<PooledTransaction>()
  readonly known: KnownTransactions
  private promoted: PooledTransaction[] = []
  private arrivals = 0
  private pendingCount = 0
  private bytes = 0
  private blockGasLimit: number
  private baseFee: number

  constructor(private readonly limits: PoolLimits) {
    this.known = new KnownTransactions(limits)
    this.blockGasLimit = limits.blockGasLimit
    this.baseFee = Number(limits.baseFeePerGas)
  }

  knows(address: Address): boolean {
    return this.accounts.has(address)
  }

  /** Takes in the state of an account at the head. */
  learn(address: Address, state: AccountState): void {
    const account = this.accounts.get(address)
    if (account === undefined) this.accounts.set(address, new PoolAccount(address, state))
    else this.update(account, state)
  }

  /** The sender's state must have been learnt. */
  add(
    transaction: RecoveredTransaction,
    { source, nowMs }: { source: 'local' | 'journal' | 'peer'; nowMs: number },
  ): PooledTransaction | PoolRefusal {
    if (this.byHash.has(transaction.hash)) return { reason: 'already-known', message: 'already known' }
    if (this.known.findDropped(transaction.hash)?.dropReason === 'slow')
      return { reason: 'too-slow', message: 'execution takes too long for a block' }
    const { chainId, maxTransactionGas, minTip } = this.limits
    const { blockGasLimit } = this
    const minFee = leastBaseFee(BigInt(this.baseFee))
    const requireReplayProtection = source === 'local'
    const limits = { chainId, blockGasLimit, maxTransactionGas, minTip, minFee, requireReplayProtection }
    const refused = checkTransaction(transaction, limits)
    if (refused) return refused
    const account = this.accounts.get(transaction.sender)
    invariant(account, 'a transaction was admitted before the state of its sender')
    const replaced = account.at(transaction.nonce)
    const replacedCost = replaced?.place === 'pending' ? replaced.cost : null
    const { nonce, balance, hasCode, pendingCost } = account
    const refusedBySender = checkSender(transaction, { nonce, balance, hasCode, pendingCost, replacedCost })
    if (refusedBySender) return refusedBySender
    const pooled = new PooledTransaction(transaction, {
      arrival: this.arrivals++,
      isLocal: source !== 'peer',
      nowMs,
    })
    const refusal = replaced
      ? this.replace(account, { old: replaced, pooled })
      : this.insert(account, { pooled, hadPlace: source === 'journal' })
    return refusal ?? pooled
  }

  /** What became executable since the last call. */
  takePromoted(): PooledTransaction[] {
    const { promoted } = this
    if (promoted.length === 0) return promoted
    this.promoted = []
    return promoted.filter(transaction => transaction.place === 'pending')
  }

  onHead(change: HeadChange): void {
    const { header } = change.block
    this.baseFee = Number(nextBaseFee(header))
    this.evictions.baseFeeChanged()
    this.blockGasLimit = header.gasLimit
    for (const touched of change.touched) {
      const account = this.accounts.get(touched.address)
      if (account !== undefined) this.update(account, touched)
    }
  }

  /**
   * Takes out what a build found invalid; its followers wait behind the gap. A nonce that is too high says that an
   * earlier one was left out, unless it is the first: then, as with a nonce too low, the remembered state is wrong.
   * @returns the accounts whose state must be asked for again
   */
  discard(skipped: readonly SkippedTransaction[]): Address[] {
    const stale: Address[] = []
    for (const { hash, reason } of skipped) {
      const transaction = this.byHash.get(hash)
      if (transaction === undefined || reason === 'no-room' || reason === 'fee-too-low') continue
      const account = this.accounts.get(transaction.sender)!
      if (reason === 'too-slow') {
        account.isSlow = true
        if (++transaction.slowBuilds < maxSlowBuilds) continue
      }
      if (reason === 'nonce-too-high') {
        if (account.pending[0] === transaction) stale.push(account.address)
        continue
      }
      if (reason === 'nonce-too-low') stale.push(account.address)
      this.remove(account, transaction, reason === 'too-slow' ? 'slow' : 'invalid')
    }
    return stale
  }

  select(limits: SelectionLimits): Selection {
    return selectTransactions(this.executable, limits)
  }

  /** Whether a block with this base fee (that of the next one unless told) has a candidate. */
  hasExecutable(baseFee?: Wei): boolean {
    const least = baseFee === undefined ? this.baseFee : Number(baseFee)
    for (const account of this.executable) if (account.pending[0]!.fee >= least) return true
    return false
  }

  transaction(hash: TransactionHash): PooledTransaction | null {
    return this.byHash.get(hash) ?? null
  }

  /** What becomes of a transaction that is here, or was dropped a moment ago; null of others. */
  fate(hash: TransactionHash): TransactionFate | null {
    const pooled = this.byHash.get(hash)
    if (pooled !== undefined) {
      const { place, sender } = pooled
      return {
        place: place as 'pending' | 'queued',
        sentence: waitSentence(this.accounts.get(sender)!, pooled, this.baseFee),
      }
    }
    const dropReason = this.known.findDropped(hash)?.dropReason
    return dropReason ? { place: 'dropped', sentence: dropSentences[dropReason] } : null
  }

  account(address: Address): PoolAccount | null {
    return this.accounts.get(address) ?? null
  }

  /** Accounts that have transactions. */
  *activeAccounts(): Iterable<PoolAccount> {
    yield* this.executable
    for (const account of this.gapped) if (!this.executable.has(account)) yield account
  }

  /** Local ones that could be in the next block. */
  *executableLocals(): Iterable<PooledTransaction> {
    for (const transaction of this.locals) if (this.isExecutable(transaction)) yield transaction
  }

  /** Pending transactions and all local ones; first the local ones that could be in the next block. */
  *inSyncOrder(): Iterable<PooledTransaction> {
    yield* this.executableLocals()
    for (const transaction of this.locals) if (!this.isExecutable(transaction)) yield transaction
    for (const account of this.executable)
      for (const transaction of account.pending) if (!transaction.isLocal) yield transaction
  }

  status(): { pending: number; queued: number; bytes: number } {
    return { pending: this.pendingCount, queued: this.byHash.size - this.pendingCount, bytes: this.bytes }
  }

  /**
   * Forgets states of accounts without transactions, oldest first, down to three quarters of the limit. Never between the
   * loading of senders and the admission of what they sent.
   */
  sweepIdle(): void {
    let excess = this.accounts.size - this.executable.size - this.gapped.size - this.limits.maxIdleAccounts
    if (excess <= 0) return
    excess += this.limits.maxIdleAccounts >> 2
    for (const account of this.accounts.values()) {
      if (excess <= 0) return
      if (!account.isEmpty) continue
      this.accounts.delete(account.address)
      excess--
    }
  }

  /** Takes out what has waited for a gap to close since before this time, in ms of the clock. */
  expireQueued(sinceMs: number): void {
    for (const account of [...this.gapped])
      for (const transaction of account.queuedInOrder())
        if (transaction.receivedMs < sinceMs) this.remove(account, transaction, 'expired')
  }

  private isExecutable(transaction: PooledTransaction): boolean {
    return transaction.place === 'pending' && transaction.fee >= this.baseFee
  }

  private replace(
    account: PoolAccount,
    { old, pooled }: { old: PooledTransaction; pooled: PooledTransaction },
  ): PoolRefusal | null {
    if (!mayReplace(pooled, old))
      return { reason: 'replacement-underpriced', message: 'replacement transaction underpriced' }
    const { place } = old
    const kind = place === 'pending' ? 'pending' : 'queued'
    const newcomer = { account, transaction: pooled, kind } as const
    if (!this.makeRoom(newcomer, { places: 0, bytes: pooled.raw.length - old.raw.length })) return poolFull
    if (place === 'pending') {
      account.pending[old.nonce - account.nonce] = pooled
      account.pendingCost += pooled.cost - old.cost
      this.promoted.push(pooled)
      this.pendingCount++
    } else account.queued.set(pooled.nonce, pooled)
    this.record(pooled)
    pooled.place = place
    this.drop(old, 'replaced')
    this.index(account)
    return null
  }

  /** What had a place before has one again: blocks, gaps and peers' transactions may have given an account more than it may add. */
  private insert(
    account: PoolAccount,
    { pooled, hadPlace }: { pooled: PooledTransaction; hadPlace: boolean },
  ): PoolRefusal | null {
    const isNext = pooled.nonce === account.nextNonce
    const held = isNext ? account.pending.length : account.queued.size
    if (!hadPlace && held >= (isNext ? this.limits.maxPendingPerAccount : this.limits.maxQueuedPerAccount))
      return { reason: 'account-limit', message: `account limit exceeded: pooled ${held} txs` }
    const kind = isNext ? 'pending' : 'queued'
    if (!this.makeRoom({ account, transaction: pooled, kind }, { places: 1, bytes: pooled.raw.length })) return poolFull
    this.record(pooled)
    if (isNext) {
      this.append(account, pooled)
      this.promote(account)
    } else account.queued.set(pooled.nonce, pooled)
    this.index(account)
    return null
  }

  /**
   * Evicts worse tails until the transaction fits; false when it may not push out what is there.
   * @param places none when it takes that of another
   */
  private makeRoom(newcomer: Newcomer, { places, bytes }: { places: 0 | 1; bytes: number }): boolean {
    const { maxPending, maxQueued, maxBytes } = this.limits
    for (;;) {
      const status = this.status()
      const isKindFull = places > 0 && status[newcomer.kind] >= (newcomer.kind === 'pending' ? maxPending : maxQueued)
      const isFull = status.bytes + bytes > maxBytes || status.pending + status.queued + places > maxPending + maxQueued
      if (!isKindFull && !isFull) return true
      const victim = this.evictions.victimOf(newcomer, { isKindFull, baseFee: this.baseFee })
      if (victim === null) return false
      this.remove(victim.account, victim.transaction, 'outbid')
    }
  }

  /** Brings an account to a new state at the head. */
  private update(account: PoolAccount, state: AccountState): void {
    const before = account.nonce
    account.nonce = state.nonce
    account.balance = state.balance
    account.hasCode = state.hasCode
    if (account.isEmpty) return
    const included = state.nonce - before
    if (included < 0) this.demote(account, account.pending.splice(0))
    else if (included > 0) {
      account.isSlow = false
      for (const transaction of account.pending.splice(0, included)) {
        account.pendingCost -= transaction.cost
        this.forget(transaction, 'included')
      }
    }
    if (account.queued.size > 0) this.dropFromQueue(account)
    if (account.balance < account.pendingCost) this.dropUnaffordable(account)
    this.promote(account)
    this.index(account)
  }

  private dropFromQueue(account: PoolAccount): void {
    for (const transaction of account.queued.values()) {
      const isPast = transaction.nonce < account.nonce
      if (!isPast && transaction.cost <= account.balance) continue
      account.queued.delete(transaction.nonce)
      if (isPast) this.forget(transaction, 'included')
      else this.drop(transaction, 'unaffordable')
    }
  }

  private dropUnaffordable(account: PoolAccount): void {
    const first = account.pending.findIndex(transaction => transaction.cost > account.balance)
    if (first < 0) return
    this.demote(account, account.pending.splice(first))
    this.dropFromQueue(account)
  }

  /** Moves what was cut off `pending` behind the gap. */
  private demote(account: PoolAccount, cut: readonly PooledTransaction[]): void {
    for (const transaction of cut) {
      account.pendingCost -= transaction.cost
      account.queued.set(transaction.nonce, transaction)
      transaction.place = 'queued'
      this.pendingCount--
    }
  }

  private promote(account: PoolAccount): void {
    const { queued } = account
    while (queued.size > 0 && account.pending.length < this.limits.maxPendingPerAccount) {
      const next = queued.get(account.nextNonce)
      if (next === undefined) return
      queued.delete(next.nonce)
      this.append(account, next)
    }
  }

  private append(account: PoolAccount, transaction: PooledTransaction): void {
    account.pending.push(transaction)
    account.pendingCost += transaction.cost
    transaction.place = 'pending'
    this.pendingCount++
    this.promoted.push(transaction)
  }

  private remove(account: PoolAccount, transaction: PooledTransaction, reason: DropReason): void {
    if (transaction.place === 'pending') {
      const cut = account.pending.splice(transaction.nonce - account.nonce)
      account.pendingCost -= transaction.cost
      this.demote(account, cut.slice(1))
    } else account.queued.delete(transaction.nonce)
    this.drop(transaction, reason)
    this.index(account)
  }

  private record(transaction: PooledTransaction): void {
    this.byHash.set(transaction.hash, transaction)
    this.known.add(transaction)
    this.bytes += transaction.raw.length
    if (transaction.isLocal) this.locals.add(transaction)
  }

  private drop(transaction: PooledTransaction, reason: DropReason): void {
    transaction.dropReason = reason
    this.forget(transaction, 'dropped')
  }

  private forget(transaction: PooledTransaction, place: 'included' | 'dropped'): void {
    if (transaction.place === 'pending') this.pendingCount--
    transaction.place = place
    this.byHash.delete(transaction.hash)
    this.known.retire(transaction)
    this.bytes -= transaction.raw.length
    if (transaction.isLocal) this.locals.delete(transaction)
  }

  private index(account: PoolAccount): void {
    if (account.pending.length > 0) this.executable.add(account)
    else this.executable.delete(account)
    if (account.queued.size > 0) this.gapped.add(account)
    else this.gapped.delete(account)
    this.evictions.changed(account, this.baseFee)
  }
}
