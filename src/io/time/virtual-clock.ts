import { Heap } from '../../base/primitives/heap.js'
import type { Clock } from './clock.js'

interface Task {
  readonly atMs: number
  readonly order: number
  /** Null once cancelled. */
  run: (() => void) | null
}

/** A clock that stands still until it is advanced; tasks of one instant run in the order they were scheduled. */
export class VirtualClock implements Clock {
  private readonly tasks = Heap.of<Task>([], isBefore)
  private order = 0
  constructor(private now = 0) {}

  nowMs(): number {
    return this.now
  }

  schedule(delayMs: number, task: () => void): () => void {
    const entry: Task = { atMs: this.now + Math.max(0, delayMs), order: this.order++, run: task }
    this.tasks.push(entry)
    return () => {
      entry.run = null
    }
  }

  soon(task: () => void): void {
    setImmediate(task)
  }

  /** Runs everything due within `byMs`, letting promises settle after each task; stops short once `isDone` says so. */
  async advance(byMs: number, isDone: () => boolean = () => false): Promise<void> {
    const until = this.now + byMs
    await this.settle()
    for (;;) {
      if (isDone()) return
      const next = this.tasks.top
      if (!next || next.atMs > until) break
      this.tasks.pop()
      if (!next.run) continue
      this.now = next.atMs
      next.run()
      await this.settle()
    }
    this.now = until
  }

  /** Lets pending promise callbacks run, and what they hand to the next turn of the event loop. */
  protected settle(): Promise<void> {
    return new Promise(resolve => setImmediate(resolve))
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
