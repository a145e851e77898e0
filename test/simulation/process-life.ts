import type { Clock } from '../../src/io/time/clock.js'
import type { SeededRandom } from '../model/seeded-random.js'

/**
 * One run of a node's process, from its start to its crash. Nothing that was under way when it ends goes on: its timers do
 * not fire, and whatever it waited for never comes.
 */
export class ProcessLife {
  isAlive = true

  /** What the process sees of a result: nothing, once it is dead. */
  async sees<Value>(result: Promise<Value>): Promise<Value> {
    try {
      const value = await result
      return this.isAlive ? value : await never()
    } catch (error) {
      return this.isAlive ? Promise.reject(error) : never()
    }
  }

  end(): void {
    this.isAlive = false
  }
}

const never = <Value>(): Promise<Value> => new Promise<Value>(() => {})

/** How many timers fire a millisecond before the clock shows their time, as when a clock is slewed. */
const earlyTimers = 1 / 20

/** The shared virtual time as one machine sees it: off by its skew, and with timers that are early now and then. */
export class MachineClock {
  skewMs = 0
  constructor(
    private readonly time: Clock,
    private readonly random: SeededRandom,
  ) {}

  /** The clock of one process on this machine. */
  of(life: ProcessLife): Clock {
    return {
      nowMs: () => this.time.nowMs() + this.skewMs,
      schedule: (delayMs, task) => {
        if (!life.isAlive) return () => {}
        const earlyMs = delayMs >= 1 && this.random.chance(earlyTimers) ? 1 : 0
        return this.time.schedule(delayMs - earlyMs, () => {
          if (life.isAlive) task()
        })
      },
      soon: task =>
        this.time.soon(() => {
          if (life.isAlive) task()
        }),
    }
  }
}
