import { setTimeout as sleep } from 'node:timers/promises'
import { callRpc } from '../../src/app/rpc-client.js'
import type { DevnetNode, RunningDevnet } from './running-devnet.js'
import type { SteadyLoad } from './steady-load.js'

interface Receipt {
  readonly blockHash: string
  readonly blockNumber: string
}

/** Asks many things of one node in one request; the answers in the order of the calls. */
export async function callMany<Answer>(
  node: DevnetNode,
  calls: readonly { method: string; params: readonly unknown[] }[],
): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let at = 0; at < calls.length; at += 100) {
    const part = calls.slice(at, at + 100)
    const response = await fetch(node.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(part.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params }))),
      signal: AbortSignal.timeout(30_000),
    })
    const results = (await response.json()) as { id: number; result: Answer }[]
    for (const { result } of results.sort((a, b) => a.id - b.id)) answers.push(result)
  }
  return answers
}

const block = (height: number) => ({ method: 'eth_getBlockByNumber', params: [`0x${height.toString(16)}`, false] })
const receiptOf = (hash: string) => ({ method: 'eth_getTransactionReceipt', params: [hash] })

/** Remembers every receipt and every head that any node ever told, and what contradicts them. */
export class ChainLedger {
  readonly receipts = new Map<string, Receipt>()
  readonly contradictions: string[] = []
  private readonly hashes = new Map<number, string>()
  private stopped = false
  private readonly watching: Promise<void>

  constructor(
    private readonly devnet: RunningDevnet,
    private readonly load: SteadyLoad,
  ) {
    this.watching = this.watch()
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.watching
  }

  /** Highest block that any node ever told. */
  get height(): number {
    return Math.max(0, ...this.hashes.keys())
  }

  private async watch(): Promise<void> {
    while (!this.stopped) {
      const open = this.load.sent.filter(({ hash }) => !this.receipts.has(hash)).slice(0, 100)
      for (const node of this.devnet.json.nodes) {
        try {
          const [head] = await callMany<{ number: string; hash: string }>(node, [
            { method: 'eth_getBlockByNumber', params: ['latest', false] },
          ])
          this.see(node, Number(head!.number), head!.hash)
          const found = await callMany<Receipt | null>(
            node,
            open.map(({ hash }) => receiptOf(hash)),
          )
          for (let i = 0; i < open.length; i++) this.take(node, open[i]!.hash, found[i]!)
        } catch {
          // The node is dead, or died while it answered.
        }
      }
      await sleep(50)
    }
  }

  private see(node: DevnetNode, height: number, hash: string): void {
    const known = this.hashes.get(height)
    if (known && known !== hash)
      this.contradictions.push(`${node.name}: block ${height} is ${hash}, another node said ${known}`)
    this.hashes.set(height, hash)
  }

  private take(node: DevnetNode, hash: string, receipt: Receipt | null): void {
    if (!receipt) return
    const known = this.receipts.get(hash)
    if (known && known.blockHash !== receipt.blockHash)
      this.contradictions.push(`${node.name}: ${hash} is in ${receipt.blockHash}, another node said ${known.blockHash}`)
    this.receipts.set(hash, receipt)
    this.see(node, Number(receipt.blockNumber), receipt.blockHash)
  }

  /** Asks every node for every block up to a height and every receipt; returns all that differs or is missing. */
  async audit(height: number, devnet = this.devnet): Promise<string[]> {
    const problems = [...this.contradictions]
    for (const node of devnet.json.nodes) {
      const blocks = await callMany<{ hash: string } | null>(
        node,
        Array.from({ length: height + 1 }, (_, at) => block(at)),
      )
      for (const [at, found] of blocks.entries()) {
        const known = this.hashes.get(at)
        if (!found) problems.push(`${node.name} has no block ${at}`)
        else if (known && known !== found.hash)
          problems.push(`${node.name}: block ${at} is ${found.hash}, not ${known}`)
        else this.hashes.set(at, found.hash)
      }
      const { sent } = this.load
      const found = await callMany<Receipt | null>(
        node,
        sent.map(({ hash }) => receiptOf(hash)),
      )
      for (const [at, receipt] of found.entries()) {
        const { hash } = sent[at]!
        const known = this.receipts.get(hash)
        if (!receipt) problems.push(`${node.name} has no receipt of ${hash}${known ? ', which had one' : ''}`)
        else if (known && known.blockHash !== receipt.blockHash)
          problems.push(`${node.name}: ${hash} is in ${receipt.blockHash}, not ${known.blockHash}`)
        else this.receipts.set(hash, receipt)
      }
    }
    return problems
  }
}

/** The height of a node, or -1 while it does not answer. */
export async function heightOf(node: DevnetNode): Promise<number> {
  try {
    return Number(await callRpc<string>({ url: node.rpcUrl, method: 'eth_blockNumber', timeoutMs: 2_000 }))
  } catch {
    return -1
  }
}
