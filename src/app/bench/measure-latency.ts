import { AppError } from '../app-error.js'
import type { BenchAccount } from './bench-account.js'
import { blockNumber, type DevnetInfo, nodesCpuSec, rpcCall, sleep } from './bench-network.js'
import { type BlockStep, countBlockSteps } from './block-steps.js'
import { HeadSubscription } from './head-subscription.js'

/** Latency from eth_sendRawTransaction at one sequencer to the receipt at another, at low load. */
export interface LatencyResult {
  readonly samples: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  /** CPU of all nodes for one block with one transaction. */
  readonly cpuMsPerBlock: number
  /** Where the time of a block goes. */
  readonly blockSteps: readonly BlockStep[]
}

const patienceMs = 30_000

/** Pause after the transaction of this number: they are spread over the block interval, so that neither the best nor the worst phase is measured. */
export const pauseAfterMs = (index: number): number => 110 + ((index * 37) % 100)

/** Sends so many transactions as warm-up, then those that count, one after the other. */
export async function measureLatency({
  info,
  account,
  samples,
  warmUp,
}: {
  info: DevnetInfo
  account: BenchAccount
  samples: number
  /** A node of an hour has compiled what one of a minute interprets: so many transactions before those that count. */
  warmUp: number
}): Promise<LatencyResult> {
  const sequencers = info.nodes.filter(({ role }) => role === 'sequencer')
  const heads = await Promise.all(
    sequencers.map(({ wsUrl }) => HeadSubscription.open(wsUrl, AbortSignal.timeout(patienceMs))),
  )
  const nodes = sequencers.map(({ rpcUrl }, index) => ({ rpcUrl, heads: heads[index]! }))
  try {
    await timeEach({ nodes, account, count: warmUp })
    const stepsSince = await countBlockSteps(info)
    const cpu = nodesCpuSec(info)
    const first = await blockNumber(nodes[0]!.rpcUrl)
    const sorted = (await timeEach({ nodes, account, count: samples })).sort((a, b) => a - b)
    const blocks = (await blockNumber(nodes[0]!.rpcUrl)) - first
    const at = (quantile: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))]!
    return {
      samples,
      p50Ms: at(0.5),
      p90Ms: at(0.9),
      p99Ms: at(0.99),
      cpuMsPerBlock: ((nodesCpuSec(info) - cpu) * 1_000) / Math.max(1, blocks),
      blockSteps: await stepsSince(),
    }
  } finally {
    for (const subscription of heads) subscription.close()
  }
}

/** Milliseconds from sending to the receipt at another node, of each transaction. */
async function timeEach({
  nodes,
  account,
  count,
}: {
  nodes: readonly { readonly rpcUrl: string; readonly heads: HeadSubscription }[]
  account: BenchAccount
  count: number
}): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const raw = account.sign({ to: account.address, value: 1n, gas: 21_000 })
    const from = nodes[i % nodes.length]!
    const to = nodes[(i + 1) % nodes.length]!
    to.heads.skip()
    const began = performance.now()
    const hash = await rpcCall<string>(from.rpcUrl, 'eth_sendRawTransaction', [raw])
    await awaitReceipt({ node: to, hash, patience: AbortSignal.timeout(patienceMs) })
    times.push(performance.now() - began)
    await sleep(pauseAfterMs(i))
  }
  return times
}

/**
 * Resolves when the node has the transaction's receipt. As a wallet that listens: a look at each new head, no polling that would
 * load what is measured. @throws AppError BENCH_FAILED when the patience ends
 */
export async function awaitReceipt({
  node: { rpcUrl, heads },
  hash,
  patience,
}: {
  node: { readonly rpcUrl: string; readonly heads: Pick<HeadSubscription, 'next'> }
  hash: string
  patience: AbortSignal
}): Promise<void> {
  try {
    do await heads.next(patience)
    while ((await rpcCall(rpcUrl, 'eth_getTransactionReceipt', [hash])) === null)
  } catch (cause) {
    if (!patience.aborted) throw cause
    throw new AppError('BENCH_FAILED', `${rpcUrl} has no receipt of ${hash} in time`, { hash }, { cause })
  }
}
