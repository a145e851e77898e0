import { VirtualClock } from '../../src/io/time/virtual-clock.js'

/** Tasks after which the event loop gets a turn: Node reports promises that nobody handles then, and collects what is gone. */
const tasksPerTurn = 256

/**
 * The time of a simulation, where nothing is real that could be waited for: promises settle between two tasks, and turns of
 * the event loop, which cost more than most tasks do, are rare.
 */
export class SimulatedTime extends VirtualClock {
  private sinceTurn = 0

  override soon(task: () => void): void {
    this.schedule(0, task)
  }

  protected override settle(): Promise<void> {
    this.sinceTurn++
    if (this.sinceTurn % tasksPerTurn === 0) return super.settle()
    // A tick comes once no callback of a promise is left.
    return new Promise(resolve => process.nextTick(resolve))
  }
}
