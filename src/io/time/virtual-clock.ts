import type { Clock } from './clock.js'

interface Task {
  readonly atMs: number
  readonly order: number
  /** Null once cancelled. */
  run: (() => void) | null
}

/** A clock that stands still until it is advanced; tasks of one instant run in the order they were scheduled. */
export class VirtualClock implements Clock {
  /** A binary heap: the parent of entry i is entry (i − 1) >> 1. */
  private readonly heap: Task[] = []
  private order = 0
  constructor(private now = 0) {}

  nowMs(): number {
    return this.now
  }

  schedule(delayMs: number, task: () => void): () => void {
    const entry: Task = { atMs: this.now + Math.max(0, delayMs), order: this.order++, run: task }
    this.push(entry)
    return () => {
      entry.run = null
    }
  }

  /** Runs everything due within `byMs`, letting promises settle after each task; stops short once `isDone` says so. */
  async advance(byMs: number, isDone: () => boolean = () => false): Promise<void> {
    const until = this.now + byMs
    await settle()
    for (;;) {
      if (isDone()) return
      const next = this.heap[0]
      if (!next || next.atMs > until) break
      this.pop()
      if (!next.run) continue
      this.now = next.atMs
      next.run()
      await settle()
    }
    this.now = until
  }

  private push(task: Task): void {
    const { heap } = this
    let at = heap.push(task) - 1
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(task, heap[parent]!); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = task
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

const isBefore = (a: Task, b: Task): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

/** Lets pending promise callbacks run, and what they hand to the next turn of the event loop. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
