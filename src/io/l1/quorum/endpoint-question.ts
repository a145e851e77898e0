import type { Clock } from '../../time/clock.js'
import type { EndpointAnswer } from './named-answer.js'
import type { Reply, WatchedEndpoint } from './watched-endpoint.js'

/** One question put to several L1 endpoints at once; its replies come one by one, a failure being a reply too. */
export class EndpointQuestion<Value> {
  private received: Reply<Value>[] = []
  private readonly listeners = new Set<() => void>()
  private readonly asked = new Set<WatchedEndpoint>()
  private open = 0

  constructor(
    private readonly clock: Clock,
    private readonly ask: (endpoint: WatchedEndpoint) => Promise<Reply<Value>>,
  ) {}

  get replies(): readonly Reply<Value>[] {
    return this.received
  }

  /** What was answered so far, failures left out. */
  get answers(): readonly EndpointAnswer<Value>[] {
    return this.received.filter(reply => reply.ok)
  }

  /** Whether everybody who was asked replied. */
  get isOver(): boolean {
    return this.open === 0
  }

  /** Asks these endpoints too, each once. */
  put(endpoints: readonly WatchedEndpoint[]): void {
    for (const endpoint of endpoints) {
      if (this.asked.has(endpoint)) continue
      this.asked.add(endpoint)
      this.open++
      void this.ask(endpoint).then(reply => {
        this.open--
        this.received.push(reply)
        for (const listener of [...this.listeners]) listener()
      })
    }
  }

  /** Asks those that failed once more; their failures are forgotten. */
  repeat(): void {
    const failed = this.received.filter(reply => !reply.ok).map(({ endpoint }) => endpoint)
    this.received = this.received.filter(reply => reply.ok)
    for (const endpoint of failed) this.asked.delete(endpoint)
    this.put(failed)
  }

  /** Resolves at the next reply; never when the question is over. */
  next(): Promise<void> {
    return new Promise(resolve => {
      if (this.isOver) return
      const look = () => {
        this.listeners.delete(look)
        resolve()
      }
      this.listeners.add(look)
    })
  }

  /** Resolves when `enough` holds, when everybody replied, or after `limitMs`. */
  until(enough: () => boolean, limitMs?: number): Promise<void> {
    return new Promise(resolve => {
      let cancel = () => {}
      const finish = () => {
        this.listeners.delete(look)
        cancel()
        resolve()
      }
      const look = () => {
        if (this.isOver || enough()) finish()
      }
      this.listeners.add(look)
      if (limitMs !== undefined) cancel = this.clock.schedule(limitMs, finish)
      look()
    })
  }

  /** Shows each reply, those that are still to come included. */
  eachReply(show: (reply: Reply<Value>) => void): void {
    let shown = 0
    const look = () => {
      for (; shown < this.received.length; shown++) show(this.received[shown]!)
      if (this.isOver) this.listeners.delete(look)
    }
    this.listeners.add(look)
    look()
  }
}
