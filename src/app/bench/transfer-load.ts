import { type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import { AppError } from '../app-error.js'
import { BenchAccount } from './bench-account.js'
import { type DevnetInfo, rpcCall, sleep } from './bench-network.js'

interface SentTransfer {
  readonly raw: Hex
  readonly url: string
}

/** Transfers of a node that is left which are given to another one: what it had not shared yet. */
const resentSeconds = 2
/** Pause before a transfer that no node took is offered again. */
const retryMs = 20
/** How long a transfer is offered before the load counts as failed. */
const patienceMs = 60_000

/** Transfers at a steady rate between the devnet's accounts, which take turns, each transfer to the next of the nodes in use. */
export class TransferLoad {
  private readonly recent: SentTransfer[] = []
  private readonly underWay = new Set<Promise<void>>()
  private readonly sending: Promise<void>
  private stopped = false
  private failure: unknown = null
  private turn = 0

  private constructor(
    private readonly accounts: readonly BenchAccount[],
    private readonly perSecond: number,
    private urls: readonly string[],
  ) {
    this.sending = this.run()
  }

  static async start({
    info,
    urls,
    perSecond,
  }: {
    info: DevnetInfo
    /** JSON-RPC of the nodes that are used at first. */
    urls: readonly string[]
    perSecond: number
  }): Promise<TransferLoad> {
    const accounts = await Promise.all(
      info.accounts.map(async ({ address, privateKey }) => {
        const nonce = await rpcCall<string>(urls[0]!, 'eth_getTransactionCount', [address, 'pending'])
        return new BenchAccount(hexToBytes(privateKey), info.l2.chainId, Number(nonce))
      }),
    )
    return new TransferLoad(accounts, perSecond, urls)
  }

  /** Uses these nodes from now on; what a node that is left was given last goes to another one too. */
  use(urls: readonly string[]): void {
    const left = this.recent.filter(({ url }) => !urls.includes(url))
    this.urls = urls
    for (const { raw } of left) this.track(this.deliver(raw))
  }

  /** Ends the load; resolves when every transfer that was begun is taken by some node. @throws AppError of one that no node took */
  async stop(): Promise<void> {
    this.stopped = true
    await this.sending
    await Promise.all(this.underWay)
    if (this.failure !== null) throw this.failure
  }

  private async run(): Promise<void> {
    const began = performance.now()
    for (let i = 0; !this.stopped; i++) {
      const account = this.accounts[i % this.accounts.length]!
      this.track(this.deliver(account.sign({ to: account.address, value: 1n, gas: 21_000 })))
      await sleep(Math.max(0, began + ((i + 1) * 1_000) / this.perSecond - performance.now()))
    }
  }

  private track(delivery: Promise<void>): void {
    const settled = delivery
      .catch(error => {
        this.failure ??= error
      })
      .finally(() => this.underWay.delete(settled))
    this.underWay.add(settled)
  }

  private async deliver(raw: Hex): Promise<void> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const url = this.urls[this.turn++ % this.urls.length]!
      try {
        await rpcCall(url, 'eth_sendRawTransaction', [raw])
        this.recent.push({ raw, url })
        if (this.recent.length > resentSeconds * this.perSecond) this.recent.shift()
        // Of what a node took that was left meanwhile, nobody else may know.
        if (this.urls.includes(url)) break
      } catch (error) {
        if (isTaken(error)) break
        if (performance.now() > deadline) throw error
        await sleep(retryMs)
      }
    }
  }
}

/** Whether a node refused a transfer because the network has it already: its pool, or a block. Any other refusal would leave a gap in the account's nonces. */
export function isTaken(error: unknown): boolean {
  return error instanceof AppError && /already known|nonce too low/.test(error.message)
}
