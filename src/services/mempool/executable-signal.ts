import type { TransactionPool } from './transaction-pool.js'

/** Wakes the proposer when the pool goes from nothing that the next block may hold to something. */
export class ExecutableSignal {
  private readonly handlers = new Set<() => void>()
  private isAwake = false

  constructor(private readonly pool: Pick<TransactionPool, 'hasExecutable'>) {}

  subscribe(handler: () => void): () => void {
    this.handlers.add(handler)
    return () => this.handlers.delete(handler)
  }

  /** Looks again after transactions became executable. */
  onAdded(): void {
    if (!this.isAwake) this.recount()
  }

  /** Looks again after transactions left or the base fee changed. */
  recount(): void {
    const wasAwake = this.isAwake
    this.isAwake = this.pool.hasExecutable()
    if (!this.isAwake || wasAwake) return
    for (const handler of this.handlers) handler()
  }
}
