/** Lets `perSec` units pass in the long run and `burst` at once; what is above it is owed as a pause, or refused. */
export class TokenBucket {
  private level: number
  private atMs: number
  constructor(
    private readonly perSec: number,
    nowMs: number,
    private readonly burst = perSec,
  ) {
    this.level = burst
    this.atMs = nowMs
  }

  /** Takes the units, which passed already; returns how long to wait (ms) before the next. */
  take(units: number, nowMs: number): number {
    this.refill(nowMs)
    this.level -= units
    return this.level >= 0 ? 0 : Math.ceil((-this.level * 1000) / this.perSec)
  }

  /** Takes one unit if there is one. */
  tryTake(nowMs: number): boolean {
    this.refill(nowMs)
    if (this.level < 1) return false
    this.level--
    return true
  }

  private refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.atMs)
    this.atMs = nowMs
    this.level = Math.min(this.burst, this.level + (elapsedMs * this.perSec) / 1000)
  }
}
