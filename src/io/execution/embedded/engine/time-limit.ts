import { EVMError } from '@ethereumjs/evm'
import type { Refusal } from './check-transaction.js'

const never = Number.POSITIVE_INFINITY

/**
 * Ends a transaction that takes too long, as if its gas had run out, so that every frame is left in order. What it then gave
 * is no result: it depends on this machine, and has to be undone.
 */
export class TimeLimit {
  private eachMs = never
  private endsAtMs = never
  private transactionEndsAtMs = never
  private hasStruck = false

  /** `nowMs` tells milliseconds. */
  constructor(private readonly nowMs: () => number) {}

  /** From now on transactions have so long together, and each of them so long alone; for ever unless told. */
  start({ totalMs = never, eachMs = never }: { totalMs?: number | undefined; eachMs?: number | undefined } = {}): void {
    this.eachMs = eachMs
    this.endsAtMs = this.nowMs() + totalMs
    this.transactionEndsAtMs = never
    this.hasStruck = false
  }

  /** A transaction begins. */
  begin(): void {
    this.transactionEndsAtMs = this.nowMs() + this.eachMs
    this.hasStruck = false
  }

  /** Whether all the time is used up. */
  get isOver(): boolean {
    return this.endsAtMs < never && this.nowMs() > this.endsAtMs
  }

  /** Called often while code runs. */
  readonly interrupt = (): void => {
    const endsAtMs = Math.min(this.endsAtMs, this.transactionEndsAtMs)
    if (endsAtMs === never || this.nowMs() <= endsAtMs) return
    this.hasStruck = true
    throw new EVMError(EVMError.errorMessages.OUT_OF_GAS)
  }

  /** Why the transaction that began last was ended, or null when it was not: it used up its own time, or that of all. */
  refusal(): Refusal | null {
    if (!this.hasStruck) return null
    return this.nowMs() > this.transactionEndsAtMs
      ? { reason: 'too-slow', detail: `it takes longer than ${this.eachMs} ms` }
      : { reason: 'no-room', detail: 'the time for the block is used up' }
  }
}
