import { EVMError } from '@ethereumjs/evm'
import type { Refusal } from './check-transaction.js'

const never = Number.POSITIVE_INFINITY
/** Who had nearly all of its time alone is called too slow; who had less may only have come late. */
const fullShare = 0.9

/**
 * Ends a transaction that takes too long, as if its gas had run out, so that every frame is left in order. What it then gave
 * is no result: it depends on this machine, and has to be undone.
 */
export class TimeLimit {
  private eachMs = never
  private endsAtMs = never
  private transactionEndsAtMs = never
  private transactionMs = never
  private hasStruck = false

  /** `nowMs` tells milliseconds. */
  constructor(private readonly nowMs: () => number) {}

  /**
   * From now on transactions have so long together, and each of them so long alone, but half of what is left for all at most, so that
   * slow ones leave time for whatever comes after them; for ever unless told.
   */
  start({ totalMs = never, eachMs = never }: { totalMs?: number | undefined; eachMs?: number | undefined } = {}): void {
    this.eachMs = eachMs
    this.endsAtMs = this.nowMs() + totalMs
    this.transactionMs = never
    this.transactionEndsAtMs = never
    this.hasStruck = false
  }

  /** A transaction begins. */
  begin(): void {
    const now = this.nowMs()
    this.transactionMs = this.eachMs === never ? never : Math.min(this.eachMs, (this.endsAtMs - now) / 2)
    this.transactionEndsAtMs = now + this.transactionMs
    this.hasStruck = false
  }

  /** Whether all the time is used up, or would be by what is to come of a transaction that has no time alone. */
  get isOver(): boolean {
    if (this.hasStruck && this.eachMs === never) return true
    return this.endsAtMs < never && this.nowMs() > this.endsAtMs
  }

  /** Called often while code runs. */
  readonly interrupt = (): void => {
    if (this.strikes(0)) throw new EVMError(EVMError.errorMessages.OUT_OF_GAS)
  }

  /** Whether the transaction must end now, because its time is used up or too short for what takes so long. */
  strikes(nextMs: number): boolean {
    const endsAtMs = Math.min(this.endsAtMs, this.transactionEndsAtMs)
    if (endsAtMs === never) return false
    this.hasStruck ||= this.nowMs() + nextMs > endsAtMs
    return this.hasStruck
  }

  /** Why the transaction that began last has no place, or null when it ended in its time: it used up its own, or that of all. */
  refusal(): Refusal | null {
    if (!this.strikes(0)) return null
    return this.transactionMs >= this.eachMs * fullShare && this.eachMs < never
      ? { reason: 'too-slow', detail: `it takes longer than ${this.eachMs} ms` }
      : { reason: 'no-room', detail: 'the time for the block is used up' }
  }
}
