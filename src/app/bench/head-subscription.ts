import { WebSocket } from 'ws'
import { AppError } from '../app-error.js'

/** New heads of one node, by `eth_subscribe` over WebSocket. */
export class HeadSubscription {
  private heads = 0
  private failure: AppError | null = null
  private wake: () => void = () => {}

  private constructor(
    private readonly url: string,
    private readonly socket: WebSocket,
  ) {
    const fail = (cause?: unknown) => {
      this.failure ??= new AppError('NODE_FAILED', `the heads of ${url} end`, { url }, { cause })
      this.wake()
    }
    socket.on('message', () => {
      this.heads++
      this.wake()
    })
    socket.on('error', fail)
    socket.on('close', () => fail())
  }

  /** @throws AppError NODE_FAILED when the node does not answer before the signal */
  static async open(url: string, signal: AbortSignal): Promise<HeadSubscription> {
    const socket = new WebSocket(url)
    const subscription = new HeadSubscription(url, socket)
    socket.once('open', () =>
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] })),
    )
    try {
      // The answer comes before all heads.
      await subscription.next(signal)
      return subscription
    } catch (error) {
      socket.terminate()
      throw error
    }
  }

  /** Forgets the heads that came until now. */
  skip(): void {
    this.heads = 0
  }

  /** Resolves at the next head that has not been waited for. @throws AppError NODE_FAILED at the signal, or when none will come */
  async next(signal: AbortSignal): Promise<void> {
    while (this.heads === 0 || signal.aborted) {
      if (this.failure) throw this.failure
      if (signal.aborted) throw new AppError('NODE_FAILED', `no head of ${this.url} comes in time`, { url: this.url })
      await new Promise<void>(resolve => {
        this.wake = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    this.heads = 0
  }

  close(): void {
    this.socket.close()
  }
}
