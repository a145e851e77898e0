import type { Address } from '../../base/primitives/hashes.js'
import { decodeTransaction } from '../../base/protocol/transaction.js'
import type { HeadChange, SkippedTransaction } from '../../io/execution/execution-client.js'
import type { Peer } from '../../io/network/peer-network.js'
import { type AddedTransaction, Admissions } from './admissions.js'
import { ExecutableSignal } from './executable-signal.js'
import type { AccountContent, InspectedAccount, Mempool, MempoolConfig, MempoolPorts, PooledView } from './mempool.js'
import type { PoolAccount } from './pool-account.js'
import type { TransactionFate } from './transaction-fate.js'
import { TransactionGossip } from './transaction-gossip.js'
import { TransactionJournal } from './transaction-journal.js'
import { TransactionPool } from './transaction-pool.js'

/** Opens the pool with what its journal kept. @throws what reading the journal throws (LOG_CORRUPT) */
export async function createMempool(options: { config: MempoolConfig; ports: MempoolPorts }): Promise<Mempool> {
  const mempool = new NodeMempool(options.config, options.ports)
  await mempool.restore()
  return mempool
}

/** Follows the pool with gossip, journal, events and metrics. */
class NodeMempool implements Mempool {
  private readonly pool: TransactionPool
  private readonly journal: TransactionJournal
  private readonly gossip: TransactionGossip
  private readonly admissions: Admissions
  private readonly signal: ExecutableSignal
  private cancelExpiry = () => {}
  private readonly pendingHandlers = new Set<(transactions: readonly PooledView[]) => void>()
  private readonly gauges

  constructor(
    config: MempoolConfig,
    private readonly ports: MempoolPorts,
  ) {
    const { clock, logger, metrics, network } = ports
    const pool = new TransactionPool(config)
    this.pool = pool
    this.signal = new ExecutableSignal(pool)
    this.journal = new TransactionJournal(config, {
      log: ports.journal,
      clock,
      live: () => Array.from(pool.locals, transaction => transaction.raw),
    })
    this.admissions = new Admissions(config, {
      pool,
      recovery: ports.recovery,
      accounts: ports.accounts,
      clock,
      logger,
      metrics,
      commit: transactions => this.journal.commit(transactions),
      added: added => this.onAdded(added),
      misbehaved: (peer, detail) => network.drop(peer.id, { reason: 'invalid-transaction', detail }),
    })
    this.gossip = new TransactionGossip(config, {
      network,
      clock,
      metrics,
      isSequencer: ports.isSequencer,
      isSequencerPeer: ports.isSequencerPeer,
      sequencerCount: ports.sequencerCount,
      pending: () => pool.inSyncOrder(),
      locals: () => pool.executableLocals(),
      receive: (from, { relay, transactions }) =>
        this.admissions.receive(from, { transactions, forward: this.mayForward(from, relay) }),
    })
    this.scheduleExpiry(config.queuedLifetimeMs)
    const gauge = (what: string, help: string) => metrics.gauge(`morphism_mempool_${what}`, help)
    this.gauges = {
      pending: gauge('pending_transactions', 'Executable transactions'),
      queued: gauge('queued_transactions', 'Transactions behind a nonce gap'),
      bytes: gauge('pool_bytes', 'Bytes of pooled transactions'),
    }
  }

  /** Admits again what was accepted before the last stop. */
  async restore(): Promise<void> {
    const raws = await this.journal.readAll()
    if (raws.length === 0) return
    const results = await this.submitInParts(inNonceOrder(raws))
    const restored = results.filter(result => result.ok).length
    this.ports.logger.info('transactions restored', { journaled: raws.length, restored })
    await this.journal.rewrite()
  }

  addRaw(raw: Uint8Array) {
    return this.admissions.submit(raw, 'local')
  }

  addMany(raws: readonly Uint8Array[]) {
    return Promise.all(raws.map(raw => this.admissions.submit(raw, 'local')))
  }

  select(limits: Parameters<Mempool['select']>[0]) {
    return this.pool.select(limits)
  }

  onHead(change: HeadChange): void {
    this.admissions.onHead(change)
    this.pool.onHead(change)
    this.signal.recount()
    this.publish()
  }

  discard(skipped: readonly SkippedTransaction[]): void {
    const stale = this.pool.discard(skipped)
    this.signal.recount()
    this.publish()
    if (stale.length === 0) return
    this.admissions.refresh(stale).catch(error => {
      this.ports.logger.error('account states could not be read again', { error, accounts: stale.length })
    })
  }

  hasExecutable(baseFee?: bigint): boolean {
    return this.pool.hasExecutable(baseFee)
  }

  onExecutable(handler: () => void): () => void {
    return this.signal.subscribe(handler)
  }

  sendersOf(raws: readonly Uint8Array[]): (Address | null)[] {
    return raws.map(raw => this.pool.known.find(raw)?.sender ?? null)
  }

  async pendingNonce(address: Address): Promise<number> {
    const account = this.pool.account(address)
    if (account !== null) return account.nextNonce
    const [state] = await this.ports.accounts.accounts([address])
    return this.pool.account(address)?.nextNonce ?? state!.nonce
  }

  transaction(hash: `0x${string}`): PooledView | null {
    return this.pool.transaction(hash)
  }

  fate(hash: `0x${string}`): TransactionFate | null {
    return this.pool.fate(hash)
  }

  content(): ReadonlyMap<Address, AccountContent> {
    const content = new Map<Address, AccountContent>()
    for (const account of this.pool.activeAccounts()) content.set(account.address, contentOf(account))
    return content
  }

  contentFrom(address: Address): AccountContent {
    const account = this.pool.account(address)
    return account === null ? { pending: [], queued: [] } : contentOf(account)
  }

  status(): { pending: number; queued: number } {
    const { pending, queued } = this.pool.status()
    return { pending, queued }
  }

  inspect(): ReadonlyMap<Address, InspectedAccount> {
    const inspected = new Map<Address, InspectedAccount>()
    for (const account of this.pool.activeAccounts()) {
      const { pending, queued } = contentOf(account)
      inspected.set(account.address, { pending: summaries(pending), queued: summaries(queued) })
    }
    return inspected
  }

  onPending(handler: (transactions: readonly PooledView[]) => void): () => void {
    this.pendingHandlers.add(handler)
    return () => this.pendingHandlers.delete(handler)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancelExpiry()
    await this.admissions.close()
    this.gossip.close()
    await this.journal.idle()
  }

  private scheduleExpiry(lifetimeMs: number): void {
    this.cancelExpiry = this.ports.clock.schedule(expiryIntervalMs, () => {
      this.pool.expireQueued(this.ports.clock.nowMs() - lifetimeMs)
      this.publish()
      this.scheduleExpiry(lifetimeMs)
    })
  }

  /** A full node passes everything on to its sequencers; a sequencer only what a node that is none asks it to relay. */
  private mayForward(from: Peer, relay: boolean): boolean {
    return !this.ports.isSequencerPeer(from) && (relay || !this.ports.isSequencer)
  }

  private onAdded(added: readonly AddedTransaction[]): void {
    for (const { transaction, forward } of added) if (forward) this.gossip.share(transaction.raw)
    this.gossip.settle()
    this.publish()
  }

  /** Tells subscribers what became executable, and the metrics where the pool stands. */
  private publish(): void {
    const promoted = this.pool.takePromoted()
    if (promoted.length > 0) {
      this.signal.onAdded()
      for (const handler of this.pendingHandlers) handler(promoted)
    }
    const { pending, queued, bytes } = this.pool.status()
    this.gauges.pending.set(pending)
    this.gauges.queued.set(queued)
    this.gauges.bytes.set(bytes)
  }

  /** A journal may hold more than may wait at once. */
  private async submitInParts(raws: readonly Uint8Array[]) {
    const results = []
    for (let at = 0; at < raws.length; at += restorePart) {
      const part = raws.slice(at, at + restorePart)
      results.push(...(await Promise.all(part.map(raw => this.admissions.submit(raw, 'journal')))))
    }
    return results
  }
}

const restorePart = 100
const expiryIntervalMs = 60_000

/** A replacement comes late in a journal: in the order written, all that follows its nonce would wait for it behind a gap. */
function inNonceOrder(raws: readonly Uint8Array[]): Uint8Array[] {
  return raws
    .map(raw => ({ raw, nonce: nonceOf(raw) }))
    .sort((a, b) => a.nonce - b.nonce)
    .map(({ raw }) => raw)
}

/** 0 of what is no transaction: refusing it is left to admission. */
function nonceOf(raw: Uint8Array): number {
  try {
    return decodeTransaction(raw).nonce
  } catch {
    return 0
  }
}

function contentOf(account: PoolAccount): AccountContent {
  return { pending: account.pending.slice(), queued: account.queuedInOrder() }
}

function summaries(transactions: readonly PooledView[]): Map<number, string> {
  return new Map(transactions.map(({ raw, nonce }) => [nonce, summaryOf(raw)]))
}

/** As geth's txpool_inspect words it. */
function summaryOf(raw: Uint8Array): string {
  const { to, value, gasLimit, maxFeePerGas } = decodeTransaction(raw)
  return `${to ?? 'contract creation'}: ${value} wei + ${gasLimit} gas × ${maxFeePerGas} wei`
}
