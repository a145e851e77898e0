import type { Clock } from '../time/clock.js'
import type { Reply, WatchedEndpoint } from './watched-endpoint.js'

/** One question put to several L1 endpoints at once; its replies come one by one, a failure being a reply too. */
export class EndpointQuestion<Value> {
  private readonly received: Reply<Value>[] = []
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
  get answers(): readonly { readonly endpoint: WatchedEndpoint; readonly value: Value }[] {
    return this.received.filter(reply => reply.ok)
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
        if (this.open === 0 || enough()) finish()
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
      if (this.open === 0) this.listeners.delete(look)
    }
    this.listeners.add(look)
    look()
  }
}
