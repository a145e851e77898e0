/** Lets `perSec` units pass in the long run and as many at once; what is above it is owed as a pause. */
export class TokenBucket {
  private level: number
  private atMs: number
  constructor(
    private readonly perSec: number,
    nowMs: number,
  ) {
    this.level = perSec
    this.atMs = nowMs
  }

  /** Takes the units, which passed already; returns how long to wait (ms) before the next. */
  take(units: number, nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.atMs)
    this.atMs = nowMs
    this.level = Math.min(this.perSec, this.level + (elapsedMs * this.perSec) / 1000) - units
    return this.level >= 0 ? 0 : Math.ceil((-this.level * 1000) / this.perSec)
  }
}
