/** What a step yields: what it cost, in bytes of text or what takes as long as they do. */
export type Steps = Generator<number, void>

/** Most that the steps of a turn cost, for what they write goes out when the turn ends. */
const turnBytes = 512 * 1024

/**
 * Does in steps what would hold the event loop: those of one turn take a few milliseconds together, and each lane has its share.
 * What fits into the turn is done when `add` returns.
 */
export class PacedWork<Lane extends string> {
  private readonly lanes = new Map<Lane, Steps[]>()
  private spentMs = 0
  private spentBytes = 0
  private next: NodeJS.Immediate | null = null
  private isRunning = false

  constructor(
    /** Longest that steps take of a turn of the event loop. */
    private readonly turnMs = 2,
  ) {}

  /** Work of one lane is done in its order. */
  add(lane: Lane, steps: Steps): void {
    const waiting = this.lanes.get(lane)
    if (waiting) waiting.push(steps)
    else this.lanes.set(lane, [steps])
    this.run()
  }

  /** Gives up what is not done. */
  close(): void {
    this.lanes.clear()
    if (this.next) clearImmediate(this.next)
  }

  private run(): void {
    if (this.isRunning) return
    this.isRunning = true
    const startMs = performance.now() - this.spentMs
    try {
      while (this.lanes.size > 0 && this.spentMs < this.turnMs && this.spentBytes < turnBytes) {
        for (const [lane, waiting] of this.lanes) this.step(lane, waiting)
        this.spentMs = performance.now() - startMs
      }
    } finally {
      this.isRunning = false
      this.next ??= setImmediate(() => {
        this.next = null
        this.spentMs = 0
        this.spentBytes = 0
        if (this.lanes.size > 0) this.run()
      })
    }
  }

  private step(lane: Lane, waiting: Steps[]): void {
    const { done, value } = waiting[0]!.next()
    if (!done) this.spentBytes += value
    else if (waiting.length > 1) waiting.shift()
    else this.lanes.delete(lane)
  }
}
