import type { AppendLog } from '../../io/storage/append-log.js'
import { type Clock, pause } from '../../io/time/clock.js'

export interface JournalOptions {
  /** The file is rewritten when it passes this size. */
  readonly maxJournalBytes: number
  /** Least time between two writes under load: commits that come meanwhile share the next. */
  readonly journalIntervalMs: number
}

/**
 * Accepted transactions on disk. Commits that come while one is being written share the next write and its one sync.
 * When the file passes its limit it is rewritten with what is still in the pool.
 */
export class TransactionJournal {
  private waiting: Uint8Array[] = []
  private next: Promise<void> | null = null
  private current: Promise<void> = Promise.resolve()
  private rewriteAt: number
  private lastWriteMs = Number.NEGATIVE_INFINITY

  constructor(
    private readonly options: JournalOptions,
    private readonly ports: {
      readonly log: AppendLog
      readonly clock: Clock
      /** The transactions that must still be kept. */
      readonly live: () => Uint8Array[]
    },
  ) {
    this.rewriteAt = options.maxJournalBytes
  }

  readAll(): Promise<Uint8Array[]> {
    return this.ports.log.readAll()
  }

  /** Resolves when the transactions survive a crash; rejects when they could not be written. */
  commit(transactions: readonly Uint8Array[]): Promise<void> {
    for (const raw of transactions) this.waiting.push(raw)
    if (this.next === null) {
      const next = this.current.then(() => this.write())
      this.next = next
      // A failed round is reported to its own callers; the next one tries again.
      this.current = next.catch(() => {})
    }
    return this.next
  }

  /** Drops what is no longer in the pool. */
  rewrite(): Promise<void> {
    this.rewriteAt = 0
    return this.commit([])
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.current
  }

  private async write(): Promise<void> {
    const { log, clock, live } = this.ports
    const waitMs = this.lastWriteMs + this.options.journalIntervalMs - clock.nowMs()
    if (waitMs > 0) await pause(clock, waitMs)
    this.lastWriteMs = clock.nowMs()
    this.next = null
    const records = this.waiting
    this.waiting = []
    for (const record of records) log.append(record)
    if (records.length > 0) await log.sync()
    if (log.size() < this.rewriteAt) return
    await log.replace(live())
    this.rewriteAt = Math.max(this.options.maxJournalBytes, 2 * log.size())
  }
}
