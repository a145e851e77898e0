/**
 * What `morphism bench` measures as latency, of CometBFT on the same machine: four nodes on loopback with their in-process
 * key-value store, from `broadcast_tx_sync` at one node to the key at another.
 * `node build/bench/cometbft.js <cometbft binary> [samples] [transactions before those that count]`, with a binary of
 * `go install github.com/cometbft/cometbft/cmd/cometbft@v0.38.21`. Nothing of it waits: no timeout_commit, blocks all the time,
 * gossip every 5 ms instead of 100, writes flushed after 1 ms instead of 100.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { WebSocket } from 'ws'
import { sleep } from '../src/app/bench/bench-network.js'
import { pauseAfterMs } from '../src/app/bench/measure-latency.js'
import { processCpuSec } from '../src/app/bench/process-cpu.js'
import { freePortRun } from '../src/app/devnet/ports.js'

const [binary, samples = '150', warmUp = '150'] = process.argv.slice(2)
if (!binary) {
  console.error('usage: node build/bench/cometbft.js <cometbft binary> [samples] [warm-up]')
  process.exit(2)
}
const size = 4
const patienceMs = 30_000

interface CometNode {
  readonly process: ChildProcess
  readonly rpcUrl: string
}

/** @throws Error when CometBFT answers with an error */
async function ask<Answer>({ rpcUrl }: CometNode, method: string, query = ''): Promise<Answer> {
  const response = await fetch(`http://${rpcUrl}/${method}?${query}`, { signal: AbortSignal.timeout(patienceMs) })
  const { result, error } = (await response.json()) as { result: Answer; error?: unknown }
  if (error) throw new Error(`${method}: ${JSON.stringify(error)}`)
  return result
}

async function height(node: CometNode): Promise<number> {
  const { sync_info } = await ask<{ sync_info: { latest_block_height: string } }>(node, 'status')
  return Number(sync_info.latest_block_height)
}

async function startNetwork(directory: string): Promise<CometNode[]> {
  execFileSync(binary!, ['testnet', '--v', `${size}`, '--o', directory], { stdio: 'ignore' })
  const firstPort = await freePortRun(2 * size)
  const homes = Array.from({ length: size }, (_, i) => path.join(directory, `node${i}`))
  const p2p = homes.map((home, i) => {
    const id = execFileSync(binary!, ['show-node-id', '--home', home], { encoding: 'utf8' }).trim()
    return { id, address: `127.0.0.1:${firstPort + i}` }
  })
  return homes.map((home, i) => {
    const rpcUrl = `127.0.0.1:${firstPort + size + i}`
    const others = p2p.filter((_, j) => j !== i)
    const log = openSync(path.join(directory, `node${i}.log`), 'w')
    const env = {
      ...process.env,
      CMT_PROXY_APP: 'kvstore',
      CMT_RPC_LADDR: `tcp://${rpcUrl}`,
      CMT_RPC_PPROF_LADDR: '',
      CMT_P2P_LADDR: `tcp://${p2p[i]!.address}`,
      CMT_P2P_PERSISTENT_PEERS: others.map(({ id, address }) => `${id}@${address}`).join(','),
      CMT_P2P_ALLOW_DUPLICATE_IP: 'true',
      CMT_P2P_ADDR_BOOK_STRICT: 'false',
      CMT_P2P_FLUSH_THROTTLE_TIMEOUT: '1ms',
      CMT_CONSENSUS_TIMEOUT_COMMIT: '0s',
      CMT_CONSENSUS_PEER_GOSSIP_SLEEP_DURATION: '5ms',
    }
    const child = spawn(binary!, ['node', '--home', home], { env, stdio: ['ignore', log, log] })
    return { process: child, rpcUrl }
  })
}

async function reach(node: CometNode, wanted: number): Promise<void> {
  for (const until = performance.now() + patienceMs; performance.now() < until; await sleep(100))
    if ((await height(node).catch(() => 0)) >= wanted) return
  throw new Error(`CometBFT does not come to height ${wanted}`)
}

/** A look at the node after each of its blocks, as `morphism bench` looks for a receipt. */
class BlockSubscription {
  private wake = () => {}

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', () => this.wake())
  }

  static async open({ rpcUrl }: CometNode): Promise<BlockSubscription> {
    const socket = new WebSocket(`ws://${rpcUrl}/websocket`)
    await once(socket, 'open')
    const subscription = new BlockSubscription(socket)
    socket.send(
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscribe', params: { query: "tm.event='NewBlock'" } }),
    )
    await subscription.next()
    return subscription
  }

  next(): Promise<void> {
    return new Promise(resolve => {
      this.wake = resolve
    })
  }

  close(): void {
    this.socket.close()
  }
}

async function timeEach(
  nodes: readonly CometNode[],
  blocks: readonly BlockSubscription[],
  name: string,
  count: number,
) {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const [from, to] = [i % size, (i + 1) % size]
    const key = `${name}${i}`
    const began = performance.now()
    await ask(nodes[from]!, 'broadcast_tx_sync', `tx="${key}=1"`)
    for (;;) {
      const next = blocks[to]!.next()
      const { response } = await ask<{ response: { value: string | null } }>(nodes[to]!, 'abci_query', `data="${key}"`)
      if (response.value) break
      await next
    }
    times.push(performance.now() - began)
    await sleep(pauseAfterMs(i))
  }
  return times.sort((a, b) => a - b)
}

const directory = mkdtempSync(path.join(tmpdir(), 'cometbft-bench-'))
let nodes: CometNode[] = []
try {
  nodes = await startNetwork(directory)
  for (const node of nodes) await reach(node, 3)
  const blocks = await Promise.all(nodes.map(node => BlockSubscription.open(node)))
  await timeEach(nodes, blocks, 'warm', Number(warmUp))
  const cpuSec = () => nodes.reduce((sum, { process: { pid } }) => sum + processCpuSec(pid!), 0)
  const [firstCpu, firstHeight, began] = [cpuSec(), await height(nodes[0]!), performance.now()]
  const times = await timeEach(nodes, blocks, 'k', Number(samples))
  const [tookMs, made] = [performance.now() - began, (await height(nodes[0]!)) - firstHeight]
  const at = (quantile: number) => times[Math.min(times.length - 1, Math.floor(times.length * quantile))]!.toFixed(1)
  console.log(`latency, send to key at another node  p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms`)
  console.log(`a block every                         ${(tookMs / made).toFixed(1)} ms`)
  console.log(
    `CPU of all nodes                      ${((cpuSec() - firstCpu) / (tookMs / 100_000)).toFixed(0)} % of a core`,
  )
  for (const subscription of blocks) subscription.close()
} finally {
  await Promise.all(
    nodes.map(async ({ process: child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    }),
  )
  rmSync(directory, { recursive: true, force: true })
}
