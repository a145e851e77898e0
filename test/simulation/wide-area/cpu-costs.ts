import type { Clock } from '../../../src/io/time/clock.js'

/**
 * Milliseconds of CPU of what a node does for a block, as measured on one core of the reference machine: the operations of
 * BLS and the transport each alone, execution from the step metrics of `npm run bench`.
 */
export const cpuCosts = {
  sign: 0.58,
  /** The pairing that one step of votes costs, and what each of its signatures adds (parsing, subgroup check). */
  verifyPairing: 1.25,
  verifyEach: 0.13,
  aggregateEach: 0.045,
  send: 0.06,
  receive: 0.09,
  build: 5,
  judge: 6,
  commit: 9,
} as const

/** One thread of a node: its work takes virtual time, one piece after the other. */
export class SimulatedThread {
  busyMs = 0
  private freeAtMs = 0

  constructor(private readonly clock: Clock) {}

  /** Resolves when the work is done. */
  run(costMs: number): Promise<void> {
    return new Promise(resolve => this.occupy(costMs, resolve))
  }

  /** Calls `done` when the work is done. */
  occupy(costMs: number, done: () => void): void {
    const now = this.clock.nowMs()
    this.freeAtMs = Math.max(now, this.freeAtMs) + costMs
    this.busyMs += costMs
    this.clock.schedule(this.freeAtMs - now, done)
  }
}
