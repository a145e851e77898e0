import { setTimeout as sleep } from 'node:timers/promises'
import { keccak256 } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { AppError } from '../../src/app/app-error.js'
import { isTaken } from '../../src/app/bench/transfer-load.js'
import { callRpc } from '../../src/app/rpc-client.js'
import type { DevnetNode, RunningDevnet } from './running-devnet.js'

/** A transaction of the load; `accepted` once some node returned its hash. */
interface Sent {
  readonly raw: `0x${string}`
  readonly hash: string
  accepted: boolean
}

const gwei = 1_000_000_000n
const resendMs = 100

/**
 * Transfers between the devnet's accounts, each account sending one after the other to a different node every time, until
 * stopped. What a node does not take, because it is dead or dies, is sent to the next until one takes it.
 */
export class SteadyLoad {
  readonly sent: Sent[] = []
  /** What nodes answered besides a hash. */
  readonly refusals: string[] = []
  private stopped = false
  private turn = 0
  private readonly senders: Promise<void>[]

  private constructor(
    private readonly devnet: RunningDevnet,
    perSecond: number,
  ) {
    const { accounts } = devnet.json
    const intervalMs = (1_000 * accounts.length) / perSecond
    this.senders = accounts.map((_, index) => this.run(index, intervalMs))
  }

  static start(devnet: RunningDevnet, { perSecond }: { perSecond: number }): SteadyLoad {
    return new SteadyLoad(devnet, perSecond)
  }

  get accepted(): Sent[] {
    return this.sent.filter(({ accepted }) => accepted)
  }

  /** Ends the load; resolves when every transaction that was begun is taken by some node. */
  async stop(): Promise<void> {
    this.stopped = true
    await Promise.all(this.senders)
  }

  private async run(index: number, intervalMs: number): Promise<void> {
    const { accounts, l2 } = this.devnet.json
    const account = privateKeyToAccount(accounts[index]!.privateKey)
    const to = accounts[(index + 1) % accounts.length]!.address
    let nonce = Number(
      await this.devnet.rpc<string>(this.devnet.full, 'eth_getTransactionCount', [account.address, 'pending']),
    )
    await sleep((intervalMs * index) / accounts.length)
    while (!this.stopped) {
      const raw = await account.signTransaction({
        chainId: l2.chainId,
        type: 'eip1559',
        nonce: nonce++,
        to,
        value: 1n,
        gas: 21_000n,
        maxFeePerGas: 10n * gwei,
        maxPriorityFeePerGas: gwei,
      })
      const [next] = await Promise.all([this.deliver(raw), sleep(intervalMs)])
      this.sent.push(next)
    }
  }

  private async deliver(raw: `0x${string}`): Promise<Sent> {
    const { nodes } = this.devnet.json
    for (;;) {
      const node = nodes[this.turn++ % nodes.length]!
      try {
        const hash = await callRpc<string>({ url: node.rpcUrl, method: 'eth_sendRawTransaction', params: [raw] })
        return { raw, hash, accepted: true }
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        // A node that died before it answered had shared it already.
        if (isTaken(error)) return { raw, hash: keccak256(raw), accepted: false }
        if (error.code === 'RPC_ERROR') this.refusals.push(error.message)
        await sleep(resendMs)
      }
    }
  }

  /** Sends what is in no block and was never accepted again, so that nothing accepted waits for it. */
  async resendUnaccepted(node: DevnetNode): Promise<void> {
    for (const { raw, accepted } of this.sent) {
      if (accepted) continue
      await callRpc({ url: node.rpcUrl, method: 'eth_sendRawTransaction', params: [raw] }).catch(() => {})
    }
  }
}
