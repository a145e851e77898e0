import { once } from 'node:events'
import { WebSocket } from 'ws'

/** New heads of one node, by `eth_subscribe` over WebSocket. */
export class HeadSubscription {
  private heads = 0
  private wake: () => void = () => {}

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', () => {
      this.heads++
      this.wake()
    })
  }

  static async open(url: string): Promise<HeadSubscription> {
    const socket = new WebSocket(url)
    await once(socket, 'open')
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] }))
    await once(socket, 'message')
    return new HeadSubscription(socket)
  }

  /** Forgets the heads that came until now. */
  skip(): void {
    this.heads = 0
  }

  /** Resolves at the next head that has not been waited for. */
  async next(): Promise<void> {
    while (this.heads === 0)
      await new Promise<void>(resolve => {
        this.wake = resolve
      })
    this.heads = 0
  }

  close(): void {
    this.socket.close()
  }
}
