import type { AppendLog } from '../../io/storage/append-log.js'

/**
 * Accepted transactions on disk. Commits that come while one is being written share the next write and its one sync.
 * When the file passes its limit it is rewritten with what is still in the pool.
 */
export class TransactionJournal {
  private waiting: Uint8Array[] = []
  private next: Promise<void> | null = null
  private current: Promise<void> = Promise.resolve()
  private rewriteAt: number

  constructor(
    private readonly log: AppendLog,
    private readonly options: { readonly maxBytes: number; readonly live: () => Uint8Array[] },
  ) {
    this.rewriteAt = options.maxBytes
  }

  readAll(): Promise<Uint8Array[]> {
    return this.log.readAll()
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
    this.next = null
    const { log } = this
    const records = this.waiting
    this.waiting = []
    for (const record of records) log.append(record)
    if (records.length > 0) await log.sync()
    if (log.size() < this.rewriteAt) return
    await log.replace(this.options.live())
    this.rewriteAt = Math.max(this.options.maxBytes, 2 * log.size())
  }
}
