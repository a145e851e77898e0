import type { Clock } from '../../../src/io/time/clock.js'

/**
 * Milliseconds of CPU of what a node does for a block, as measured on one core of the reference machine: the operations of
 * BLS each alone, execution from the step metrics of `npm run bench`, the transport by `build/bench/transport.js` with 1, 3, 32
 * and 99 peers: what a turn of the event loop costs, and what each message of it adds.
 */
export const cpuCosts = {
  sign: 0.58,
  /** The pairing that one step of votes costs, and what each of its signatures adds (parsing, subgroup check). */
  verifyPairing: 1.25,
  verifyEach: 0.13,
  aggregateEach: 0.045,
  /** A key in the sum that an aggregate's signature is checked against. */
  addKey: 0.001,
  wakeUp: 0.14,
  send: 0.042,
  receive: 0.055,
  build: 3.3,
  judge: 2.9,
  commit: 6.9,
} as const

/** One thread of a node: its work takes virtual time, one piece after the other. */
export class SimulatedThread {
  busyMs = 0
  private freeAtMs = 0

  constructor(
    private readonly clock: Clock,
    /** What it takes to begin after a pause. */
    private readonly wakeUpMs = 0,
  ) {}

  /** Resolves when the work is done. */
  run(costMs: number): Promise<void> {
    return new Promise(resolve => this.occupy(costMs, resolve))
  }

  /** Calls `done` when the work is done. */
  occupy(costMs: number, done: () => void): void {
    const now = this.clock.nowMs()
    const workMs = this.freeAtMs < now ? this.wakeUpMs + costMs : costMs
    this.freeAtMs = Math.max(now, this.freeAtMs) + workMs
    this.busyMs += workMs
    this.clock.schedule(this.freeAtMs - now, done)
  }
}
