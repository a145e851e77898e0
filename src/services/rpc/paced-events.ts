import type { PacedWork, Steps } from './paced-work.js'

/** Most bytes of events that wait to be dealt with. */
const maxWaitingBytes = 32 * 1024 * 1024

/** Deals with events in steps, and asks for relief when more of them come than there is time for. */
export class PacedEvents<Lane extends string> {
  private waitingBytes = 0
  /** How often it has asked since nothing waited. */
  private reliefs = 0

  constructor(
    private readonly work: Pick<PacedWork<Lane>, 'add'>,
    /** Halves what an event costs. */
    private readonly relieve: () => void,
  ) {}

  /** An event that keeps this many bytes until the steps are done. */
  add(lane: Lane, bytes: number, steps: Steps): void {
    if (this.waitingBytes === 0) this.reliefs = 0
    else if (this.waitingBytes + bytes > maxWaitingBytes * (this.reliefs + 1)) {
      this.reliefs++
      this.relieve()
    }
    this.waitingBytes += bytes
    this.work.add(lane, this.counted(bytes, steps))
  }

  private *counted(bytes: number, steps: Steps): Generator<number, void> {
    try {
      for (let step = steps.next(); !step.done; step = steps.next()) yield step.value
    } finally {
      this.waitingBytes -= bytes
    }
  }
}
