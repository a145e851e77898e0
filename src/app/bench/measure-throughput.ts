import type { Hex } from '../../base/primitives/bytes.js'
import { AppError } from '../app-error.js'
import { benchFeeCap } from './bench-account.js'
import { blockNumber, type DevnetInfo, nodesCpuSec, rpcBatch, rpcCall, sleep } from './bench-network.js'

/** What the network sustained while transactions were always waiting. */
export interface ThroughputResult {
  readonly accepted: number
  readonly executed: number
  readonly seconds: number
  readonly acceptedPerSec: number
  readonly executedPerSec: number
  readonly blocksPerSec: number
  /** CPU of all nodes, per executed transaction. */
  readonly cpuMsPerTransaction: number
}

const batchSize = 100
/** Accepted and not yet executed transactions at which the sender pauses: enough to fill blocks, less than the pool holds. */
const maxBacklog = 6_000
const drainMs = 30_000

/** Sends signed transactions (the accounts taking turns, their number a multiple of the nodes') to all sequencers and counts what blocks hold of them. @throws AppError BENCH_FAILED when a node refuses one (all that follow of its account would wait for ever), or no block takes the rest */
export async function measureThroughput({
  info,
  raws,
}: {
  info: DevnetInfo
  raws: readonly Hex[]
}): Promise<ThroughputResult> {
  const urls = info.nodes.filter(({ role }) => role === 'sequencer').map(({ rpcUrl }) => rpcUrl)
  const counter = new BlockCounter(urls[0]!, await blockNumber(urls[0]!))
  const firstHeight = counter.height
  const cpu = nodesCpuSec(info)
  const began = performance.now()
  let accepted = 0
  let isOver = false
  const send = async (url: string, node: number) => {
    // An account sends to one node, as wallets do: its nonces arrive in order.
    const own = raws.filter((_, i) => i % urls.length === node)
    for (let at = 0; at < own.length && !isOver; ) {
      if (accepted - counter.transactions > maxBacklog) {
        await sleep(5)
        continue
      }
      const some = own.slice(at, at + batchSize)
      at += some.length
      for (const { error } of await rpcBatch(
        url,
        some.map(raw => ({ method: 'eth_sendRawTransaction', params: [raw] })),
      )) {
        if (error) throw new AppError('BENCH_FAILED', `a transaction was refused: ${error.message}`)
        accepted++
      }
    }
  }
  let sending = true
  let acceptedMs = 0
  const sent = Promise.all(urls.map(send)).then(() => {
    sending = false
    acceptedMs = performance.now() - began
  })
  sent.catch(() => {
    isOver = true
  })
  let lastGrowth = performance.now()
  while (!isOver && (sending || counter.transactions < accepted)) {
    if (await counter.advance()) lastGrowth = performance.now()
    else if (performance.now() - lastGrowth > drainMs) isOver = true
    await sleep(20)
  }
  await sent
  const seconds = (performance.now() - began) / 1_000
  const executed = counter.transactions
  if (executed < accepted) throw await notExecuted({ url: urls[0]!, executed, accepted })
  return {
    accepted,
    executed,
    seconds,
    acceptedPerSec: accepted / (acceptedMs / 1_000),
    executedPerSec: executed / seconds,
    blocksPerSec: (counter.height - firstHeight) / seconds,
    cpuMsPerTransaction: ((nodesCpuSec(info) - cpu) * 1_000) / Math.max(1, executed),
  }
}

/** Full blocks raise the base fee by an eighth each, in the end above what is offered. */
async function notExecuted({ url, executed, accepted }: { url: string; executed: number; accepted: number }) {
  const { baseFeePerGas } = await rpcCall<{ baseFeePerGas: string }>(url, 'eth_getBlockByNumber', ['latest', false])
  const why =
    BigInt(baseFeePerGas) > benchFeeCap
      ? `the base fee rose to ${BigInt(baseFeePerGas)} wei, above the ${benchFeeCap} offered: ask for fewer transfers`
      : `no block took one in ${drainMs / 1_000} s`
  return new AppError('BENCH_FAILED', `${accepted - executed} of ${accepted} transactions were not executed: ${why}.`)
}

/** Counts transactions of new blocks at one node. */
class BlockCounter {
  transactions = 0
  constructor(
    private readonly url: string,
    public height: number,
  ) {}

  /** Whether new blocks held any: an idle network makes empty ones. */
  async advance(): Promise<boolean> {
    const head = await blockNumber(this.url)
    const before = this.transactions
    for (; this.height < head; this.height++) {
      const number = `0x${(this.height + 1).toString(16)}`
      this.transactions += Number(await rpcCall<string>(this.url, 'eth_getBlockTransactionCountByNumber', [number]))
    }
    return this.transactions > before
  }
}
