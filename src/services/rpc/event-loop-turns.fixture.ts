/** Counts the turns of the event loop from now on, until it is ended. */
export class EventLoopTurns {
  count = 0
  private isOver = false

  constructor() {
    const turn = () => {
      this.count++
      if (!this.isOver) setImmediate(turn)
    }
    setImmediate(turn)
  }

  end(): void {
    this.isOver = true
  }
}
