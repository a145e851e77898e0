import type { Address, TransactionHash } from '../../base/primitives/hashes.js'
import { ok, refuse } from '../../base/primitives/result.js'
import type { ExecutionClient, HeadChange } from '../../io/execution/execution-client.js'
import type { Peer } from '../../io/network/peer-network.js'
import type { RecoveryOutcome, SenderRecovery } from '../../io/recovery/sender-recovery.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { type AdmissionReason, checkSize, isPermanent } from '../../rules/blocks/admission.js'
import { IntakeQueue, type Submission, type TransactionSource } from './intake-queue.js'
import { tailOf } from './known-transactions.js'
import { PooledTransaction } from './pooled-transaction.js'
import type { SubmissionResult } from './submission-result.js'
import type { TransactionPool } from './transaction-pool.js'

/** geth's code for every refusal of its pool. */
export const refusalCode = -32_000

export interface AdmissionsConfig {
  /** Least time between two recovery batches under load: transactions that come meanwhile share the next. */
  readonly coalesceMs: number
  /** Bytes of this node's own transactions that may wait for admission. */
  readonly maxUnprocessedBytes: number
  /** The same for each peer. */
  readonly maxUnprocessedBytesPerPeer: number
}

export interface AdmissionsPorts {
  readonly pool: TransactionPool
  readonly recovery: Pick<SenderRecovery, 'recover'>
  readonly accounts: Pick<ExecutionClient, 'accounts'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Makes accepted local transactions durable. */
  readonly commit: (transactions: readonly Uint8Array[]) => Promise<void>
  /** Takes up what a batch added, in order. */
  readonly added: (transactions: readonly AddedTransaction[]) => void
  readonly misbehaved: (peer: Peer, detail: string) => void
}

export interface AddedTransaction {
  readonly transaction: PooledTransaction
  readonly forward: boolean
}

const batchTransactions = 256
/** One batch is recovered while the one before is admitted. */
const maxBatchesUnderWay = 2

/** The way into the pool: waiting submissions, sender recovery in batches, account states, admission in order, durability. */
export class Admissions {
  private readonly queue: IntakeQueue
  /** By tail: what peers sent and recovery has not answered. */
  private readonly underWay = new Map<string, Uint8Array>()
  private readonly loading = new Set<Address>()
  private batches = 0
  private lastStartMs = Number.NEGATIVE_INFINITY
  private isPumping = false
  private isClosed = false
  private order: Promise<void> = Promise.resolve()
  private readonly counters

  constructor(
    private readonly config: AdmissionsConfig,
    private readonly ports: AdmissionsPorts,
  ) {
    this.queue = new IntakeQueue({
      maxLocalBytes: config.maxUnprocessedBytes,
      maxPeerBytes: config.maxUnprocessedBytesPerPeer,
    })
    const counter = (what: string, help: string) => ports.metrics.counter(`morphism_mempool_${what}_transactions`, help)
    this.counters = {
      admitted: counter('admitted', 'Transactions that entered the pool'),
      refused: counter('refused', 'Transactions that were refused'),
      overflowed: counter('overflowed', 'Transactions dropped unseen because their source sends too much'),
    }
  }

  /** A transaction of this node's own; the answer comes when it is in the pool and on disk. */
  submit(raw: Uint8Array, source: 'local' | 'journal'): Promise<SubmissionResult> {
    if (this.isClosed) return Promise.resolve(refuse({ code: refusalCode, message: 'the node is stopping' }))
    const oversized = checkSize(raw.length)
    if (oversized) return Promise.resolve(refuse({ code: refusalCode, message: oversized.message }))
    return new Promise(settle => {
      const isTaken = this.queue.push({ raw, source, forward: true, settle })
      if (isTaken) this.wake()
      else settle(refuse({ code: refusalCode, message: 'txpool is full: too many transactions wait for admission' }))
    })
  }

  /** What a peer sent: known ones cost a look-up, the rest waits its turn. */
  receive(peer: Peer, { transactions, forward }: { transactions: readonly Uint8Array[]; forward: boolean }): void {
    if (this.isClosed) return
    for (const raw of transactions) {
      const known = this.ports.pool.known.find(raw)
      if (known !== null && known.place !== 'dropped') continue
      const tail = tailOf(raw)
      const twin = this.underWay.get(tail)
      if (twin !== undefined && Buffer.compare(twin, raw) === 0) continue
      if (this.queue.push({ raw, source: peer, forward, settle: null })) this.underWay.set(tail, raw)
      else this.counters.overflowed.inc()
    }
    this.wake()
  }

  /** Account states that arrive by a block while the same accounts are being asked for. */
  onHead(change: HeadChange): void {
    if (this.loading.size === 0) return
    for (const touched of change.touched)
      if (this.loading.has(touched.address)) this.ports.pool.learn(touched.address, touched)
  }

  /** Asks again for states that turned out wrong, in order with the admissions. */
  refresh(addresses: readonly Address[]): Promise<void> {
    return this.enqueue(async () => {
      const states = await this.ports.accounts.accounts(addresses)
      for (let i = 0; i < addresses.length; i++) this.ports.pool.learn(addresses[i]!, states[i]!)
      this.ports.added([])
    })
  }

  async close(): Promise<void> {
    this.isClosed = true
    while (this.batches > 0 || this.queue.waiting > 0) {
      if (this.batches === 0) this.pump()
      await this.order
    }
  }

  /** Starts soon: at the end of this turn of the event loop when idle, later when a batch started a moment ago. */
  private wake(): void {
    if (this.isPumping || this.queue.waiting === 0 || this.batches >= maxBatchesUnderWay) return
    this.isPumping = true
    const run = () => {
      this.isPumping = false
      this.pump()
    }
    const waitMs = this.lastStartMs + this.config.coalesceMs - this.ports.clock.nowMs()
    if (waitMs > 0) this.ports.clock.schedule(waitMs, run)
    else this.ports.clock.soon(run)
  }

  private pump(): void {
    while (this.queue.waiting > 0 && this.batches < maxBatchesUnderWay) {
      this.lastStartMs = this.ports.clock.nowMs()
      this.start(this.queue.take(batchTransactions))
    }
  }

  private start(batch: readonly Submission[]): void {
    this.batches++
    const recovered = this.ports.recovery.recover(batch.map(submission => submission.raw))
    // Observed at once: an earlier batch may still be under way when this one fails.
    recovered.catch(() => {})
    void this.enqueue(async () => {
      try {
        const outcomes = await recovered
        await this.loadSenders(outcomes)
        this.admit(batch, outcomes)
      } catch (error) {
        this.ports.logger.error('transactions could not be admitted', { error, transactions: batch.length })
        for (const { settle } of batch)
          settle?.(refuse({ code: -32_603, message: 'internal error: the transaction could not be checked' }))
      } finally {
        this.finish(batch)
        this.queue.release(batch)
        this.batches--
        this.wake()
      }
    })
  }

  private finish(batch: readonly Submission[]): void {
    for (const { raw, source } of batch) {
      if (typeof source === 'string') continue
      const tail = tailOf(raw)
      if (this.underWay.get(tail) === raw) this.underWay.delete(tail)
    }
  }

  private enqueue(task: () => Promise<void>): Promise<void> {
    const run = this.order.then(task)
    this.order = run.catch(() => {})
    return run
  }

  private async loadSenders(outcomes: readonly RecoveryOutcome[]): Promise<void> {
    const { pool, accounts, logger } = this.ports
    for (const outcome of outcomes)
      if (outcome.refusal === null && !pool.knows(outcome.sender)) this.loading.add(outcome.sender)
    if (this.loading.size === 0) return
    try {
      const addresses = [...this.loading]
      const states = await accounts.accounts(addresses)
      // A block that came meanwhile has told a newer state.
      for (let i = 0; i < addresses.length; i++) if (!pool.knows(addresses[i]!)) pool.learn(addresses[i]!, states[i]!)
      logger.debug('account states loaded', { accounts: addresses.length })
    } finally {
      this.loading.clear()
    }
  }

  private admit(batch: readonly Submission[], outcomes: readonly RecoveryOutcome[]): void {
    const { pool } = this.ports
    const nowMs = this.ports.clock.nowMs()
    const added: AddedTransaction[] = []
    const durable: { raw: Uint8Array; hash: TransactionHash; settle: NonNullable<Submission['settle']> }[] = []
    const banned = new Set<TransactionSource>()
    for (let i = 0; i < batch.length; i++) {
      const submission = batch[i]!
      const { source, settle } = submission
      if (banned.has(source)) continue
      const outcome = outcomes[i]!
      const isLocal = typeof source === 'string'
      const result = outcome.refusal === null ? pool.add(outcome, { source: sourceKind(source), nowMs }) : outcome
      if (result instanceof PooledTransaction) {
        added.push({ transaction: result, forward: submission.forward })
        if (source === 'journal') settle?.(ok(result.hash))
        else if (settle) durable.push({ raw: result.raw, hash: result.hash, settle })
        continue
      }
      this.counters.refused.inc()
      settle?.(refuse({ code: refusalCode, message: result.message }))
      if (!isLocal && isMisbehaviour(result)) {
        banned.add(source)
        this.ban(source, result.message)
      }
    }
    pool.sweepIdle()
    if (added.length > 0) this.counters.admitted.inc(added.length)
    this.ports.added(added)
    if (durable.length > 0) this.makeDurable(durable)
  }

  private makeDurable(
    accepted: readonly { raw: Uint8Array; hash: TransactionHash; settle: NonNullable<Submission['settle']> }[],
  ): void {
    this.ports.commit(accepted.map(({ raw }) => raw)).then(
      () => {
        for (const { settle, hash } of accepted) settle(ok(hash))
      },
      error => {
        this.ports.logger.error('accepted transactions could not be stored', { error })
        for (const { settle } of accepted)
          settle(refuse({ code: -32_603, message: 'internal error: the transaction could not be stored' }))
      },
    )
  }

  private ban(peer: Peer, detail: string): void {
    this.finish(this.queue.discard(peer))
    this.ports.misbehaved(peer, detail)
  }
}

type Refused = { readonly refusal: string } | { readonly reason: string }

/** Whether no honest node can have forwarded it. */
function isMisbehaviour(refused: Refused): boolean {
  return 'refusal' in refused || isPermanent(refused.reason as AdmissionReason)
}

const sourceKind = (source: TransactionSource): 'local' | 'journal' | 'peer' =>
  typeof source === 'string' ? source : 'peer'
