import type { Clock } from './clock.js'

/** A clock that stands still until it is advanced; tasks of one instant run in the order they were scheduled. */
export class VirtualClock implements Clock {
  private readonly tasks: { atMs: number; order: number; task: () => void }[] = []
  private order = 0
  constructor(private now = 0) {}

  nowMs(): number {
    return this.now
  }

  schedule(delayMs: number, task: () => void): () => void {
    const entry = { atMs: this.now + Math.max(0, delayMs), order: this.order++, task }
    this.tasks.push(entry)
    return () => {
      const at = this.tasks.indexOf(entry)
      if (at >= 0) this.tasks.splice(at, 1)
    }
  }

  /** Runs everything due within `byMs`, letting promises settle after each task. */
  async advance(byMs: number): Promise<void> {
    const until = this.now + byMs
    for (;;) {
      const next = this.earliest()
      if (!next || next.atMs > until) break
      this.tasks.splice(this.tasks.indexOf(next), 1)
      this.now = next.atMs
      next.task()
      await settle()
    }
    this.now = until
    await settle()
  }

  private earliest() {
    let best: (typeof this.tasks)[number] | undefined
    for (const task of this.tasks)
      if (!best || task.atMs < best.atMs || (task.atMs === best.atMs && task.order < best.order)) best = task
    return best
  }
}

/** Lets pending promise callbacks run. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
