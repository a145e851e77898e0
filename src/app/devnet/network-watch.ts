import { callRpc } from '../rpc-client.js'
import type { NetworkRow, NodeRow } from './status-table.js'

/** A node that is watched. */
export interface WatchedNode {
  readonly name: string
  readonly role: 'sequencer' | 'full'
  readonly pid: number
  readonly rpcUrl: string
}

interface NodeStatus {
  readonly height: string
  readonly round: string
  readonly step: string
  readonly peers: string
  readonly proposer: string | null
  readonly ready: boolean
  readonly syncing: boolean
  readonly latestBatch: string
  readonly committedBatch: string
  readonly finalizedBatch: string
}

/** Asks every node how it is, again and again; counts the transactions of the blocks that it sees. */
export class NetworkWatch {
  private countedTo = 0
  private transactions = 0

  constructor(
    private readonly nodes: readonly WatchedNode[],
    private readonly l1RpcUrl: string,
  ) {}

  /** One look at the whole network; a node that does not answer within a second counts as down. */
  async look(): Promise<{ network: NetworkRow; nodes: NodeRow[] }> {
    const [l1Block, ...statuses] = await Promise.all([
      ask<string>(this.l1RpcUrl, 'eth_blockNumber'),
      ...this.nodes.map(node => ask<NodeStatus>(node.rpcUrl, 'morphism_nodeStatus')),
    ])
    const answering = statuses.findIndex(status => status !== null)
    const best = statuses.reduce((a, b) => (b && (!a || Number(b.height) > Number(a.height)) ? b : a), null)
    if (best && answering >= 0) await this.count(this.nodes[answering]!.rpcUrl)
    return {
      network: {
        height: Number(best?.height ?? 0),
        round: Number(best?.round ?? 0),
        proposer: best?.proposer ? `${best.proposer.slice(0, 10)}…` : '-',
        transactions: this.transactions,
        batches: {
          sealed: Number(best?.latestBatch ?? 0),
          committed: Number(best?.committedBatch ?? 0),
          finalized: Number(best?.finalizedBatch ?? 0),
        },
        l1: { block: l1Block === null ? null : Number(l1Block), rpcUrl: this.l1RpcUrl },
      },
      nodes: this.nodes.map((node, i) => ({ ...node, status: shown(statuses[i] ?? null) })),
    }
  }

  private async count(url: string): Promise<void> {
    const head = await ask<string>(url, 'eth_blockNumber')
    // Bounded work per look: a long history is counted over several.
    for (let looked = 0; head !== null && this.countedTo < Number(head) && looked < 200; looked++) {
      const count = await ask<string>(url, 'eth_getBlockTransactionCountByNumber', [
        `0x${(this.countedTo + 1).toString(16)}`,
      ])
      if (count === null) return
      this.transactions += Number(count)
      this.countedTo++
    }
  }
}

function shown(status: NodeStatus | null): NodeRow['status'] {
  if (!status) return null
  const { height, round, step, peers, ready, syncing } = status
  return { height: Number(height), round: Number(round), step, peers: Number(peers), ready, syncing }
}

async function ask<Answer>(url: string, method: string, params: readonly unknown[] = []): Promise<Answer | null> {
  try {
    return await callRpc<Answer>({ url, method, params, timeoutMs: 1_000 })
  } catch {
    return null
  }
}
