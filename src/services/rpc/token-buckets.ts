import type { Clock } from '../../io/time/clock.js'

/** Most callers that are remembered; the one heard longest ago is forgotten first. */
const maxCallers = 10_000
const burstSec = 2

/** Limits the rate of each caller: `ratePerSec` on average, two seconds' worth at once. A rate of 0 is no limit. */
export class TokenBuckets {
  private readonly buckets = new Map<string, { tokens: number; atMs: number }>()
  private readonly capacity: number

  constructor(
    private readonly ratePerSec: number,
    private readonly clock: Pick<Clock, 'nowMs'>,
  ) {
    this.capacity = ratePerSec * burstSec
  }

  /** Takes this many tokens of the caller's, or none and says false. */
  take(caller: string, count: number): boolean {
    if (this.ratePerSec === 0) return true
    const nowMs = this.clock.nowMs()
    const bucket = this.buckets.get(caller) ?? { tokens: this.capacity, atMs: nowMs }
    const earned = (Math.max(0, nowMs - bucket.atMs) * this.ratePerSec) / 1000
    bucket.tokens = Math.min(this.capacity, bucket.tokens + earned)
    bucket.atMs = nowMs
    this.remember(caller, bucket)
    if (bucket.tokens < count) return false
    bucket.tokens -= count
    return true
  }

  private remember(caller: string, bucket: { tokens: number; atMs: number }): void {
    this.buckets.delete(caller)
    this.buckets.set(caller, bucket)
    if (this.buckets.size <= maxCallers) return
    const [oldest] = this.buckets.keys()
    if (oldest !== undefined) this.buckets.delete(oldest)
  }
}
