import { once } from 'node:events'
import { WebSocket } from 'ws'
import { rpcBatch } from './bench-network.js'

/** A block as one node came to have it. */
interface SeenBlock {
  readonly height: number
  /** When its head reached this process (`performance.now`). */
  readonly arrivedMs: number
}

/** Blocks of a span of time. The block before the span counts as the begin of its first interval. */
export interface BlockIntervals {
  readonly blocks: number
  readonly transactionsPerSec: number
  /** From the arrival of one block at a node to that of the next. */
  readonly meanMs: number
  readonly longestMs: number
  /** The interval in which the span begins. */
  readonly firstMs: number
  /** As `longestMs`, by the timestamps of the blocks. */
  readonly longestByTimestampMs: number
}

/** Notes when each new block arrives at one node. */
export class BlockWatch {
  private readonly seen: SeenBlock[] = []

  private constructor(
    private readonly socket: WebSocket,
    private readonly rpcUrl: string,
  ) {
    socket.on('message', text => {
      const { params } = JSON.parse(String(text)) as { params?: { result: { number: string } } }
      if (params) this.seen.push({ height: Number(params.result.number), arrivedMs: performance.now() })
    })
  }

  static async open({ rpcUrl, wsUrl }: { readonly rpcUrl: string; readonly wsUrl: string }): Promise<BlockWatch> {
    const socket = new WebSocket(wsUrl)
    await once(socket, 'open')
    const watch = new BlockWatch(socket, rpcUrl)
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] }))
    await once(socket, 'message')
    return watch
  }

  /** Intervals between blocks that ended within the span (`performance.now`); a gap that is open at its end counts as it is. */
  async intervals({ fromMs, toMs }: { fromMs: number; toMs: number }): Promise<BlockIntervals> {
    const first = this.seen.findLastIndex(({ arrivedMs }) => arrivedMs <= fromMs)
    const blocks = this.seen.slice(Math.max(0, first)).filter(({ arrivedMs }) => arrivedMs <= toMs)
    const gaps = differences(blocks.map(({ arrivedMs }) => arrivedMs))
    const open = toMs - (blocks.at(-1)?.arrivedMs ?? fromMs)
    const heights = blocks.map(({ height }) => `0x${height.toString(16)}`)
    const contexts = (await this.ask('morphism_getContext', heights)) as { timestampMs: string }[]
    const counts = (await this.ask('eth_getBlockTransactionCountByNumber', heights.slice(1))) as string[]
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
    return {
      blocks: gaps.length,
      transactionsPerSec: (sum(counts.map(Number)) * 1_000) / (toMs - fromMs),
      meanMs: sum(gaps) / gaps.length,
      longestMs: Math.max(open, ...gaps),
      firstMs: gaps[0] ?? open,
      longestByTimestampMs: Math.max(0, ...differences(contexts.map(({ timestampMs }) => Number(timestampMs)))),
    }
  }

  close(): void {
    this.socket.close()
  }

  private async ask(method: string, heights: readonly string[]): Promise<unknown[]> {
    const answers: unknown[] = []
    for (let at = 0; at < heights.length; at += 100) {
      const calls = heights.slice(at, at + 100).map(height => ({ method, params: [height] }))
      answers.push(...(await rpcBatch(this.rpcUrl, calls)).map(({ result }) => result))
    }
    return answers
  }
}

const differences = (values: readonly number[]): number[] => values.slice(1).map((value, i) => value - values[i]!)
