import type { Clock } from '../../src/io/time/clock.js'

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

/** The shared virtual time as one machine sees it: off by its skew. */
export class MachineClock {
  skewMs = 0
  constructor(private readonly time: Clock) {}

  /** The clock of one process on this machine. */
  of(life: ProcessLife): Clock {
    return {
      nowMs: () => this.time.nowMs() + this.skewMs,
      schedule: (delayMs, task) => {
        if (!life.isAlive) return () => {}
        return this.time.schedule(delayMs, () => {
          if (life.isAlive) task()
        })
      },
    }
  }
}
