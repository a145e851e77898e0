import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { BenchAccount } from '../src/app/bench/bench-account.js'
import {
  blockNumber,
  type DevnetInfo,
  nodesCpuSec,
  readDevnetInfo,
  rpcCall,
  sleep,
} from '../src/app/bench/bench-network.js'
import { packageRoot } from '../src/app/package-root.js'
import { hexToBytes } from '../src/base/primitives/bytes.js'

// Measures by how much connections of garbage to the sequencers slow block production: the mean time between blocks under
// a steady load, calm and under attack in turn, and the ratio. The attack is a process of its own on the same machine, so
// that a part of what it costs is its own CPU, which is printed.
// Usage: node build/bench/hostile-peers.js <devnet.json> [connections] [seconds of one period] [periods of each kind]

const [file, connections = '1000', seconds = '20', rounds = '3'] = process.argv.slice(2)
if (!file) {
  console.error('usage: node build/bench/hostile-peers.js <devnet.json> [connections] [seconds] [periods]')
  process.exit(2)
}
const transactionsPerSec = 50

interface Period {
  readonly intervalMs: number
  readonly longestMs: number
  readonly cpuPercent: number
  /** Of the attack: connections opened each second, open at the end, percent of a core that the attacker itself took. */
  readonly attack: { readonly openedPerSec: number; readonly open: number; readonly cpuPercent: number } | null
}

interface AttackerState {
  readonly opened: number
  readonly open: number
  readonly cpuSec: number
}

/** The attacking process and what it last said of itself. */
class Attacker {
  state: AttackerState = { opened: 0, open: 0, cpuSec: 0 }
  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', line => {
      this.state = JSON.parse(line) as AttackerState
    })
  }

  static async start(ports: readonly number[]): Promise<Attacker> {
    const program = path.join(packageRoot, 'build', 'test', 'e2e', 'garbage-connections.js')
    const attacker = new Attacker(
      spawn(process.execPath, [program, connections, ...ports.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] }),
    )
    while (attacker.state.opened < Number(connections)) await sleep(100)
    return attacker
  }

  stop(): void {
    this.child.kill('SIGKILL')
  }
}

async function sequencerPorts(devnet: string): Promise<number[]> {
  const { nodes } = JSON.parse(await readFile(devnet, 'utf8')) as { nodes: { role: string; command: string[] }[] }
  return nodes
    .filter(({ role }) => role === 'sequencer')
    .map(({ command }) => Number(command[command.indexOf('--p2p-port') + 1]))
}

/** Sends transfers at a steady rate until stopped. */
async function load(info: DevnetInfo, isOver: () => boolean): Promise<void> {
  const { address, privateKey } = info.accounts[8]!
  const urls = info.nodes.filter(({ role }) => role === 'sequencer').map(({ rpcUrl }) => rpcUrl)
  const nonce = Number(await rpcCall<string>(urls[0]!, 'eth_getTransactionCount', [address, 'pending']))
  const account = new BenchAccount(hexToBytes(privateKey), info.l2.chainId, nonce)
  const under: Promise<unknown>[] = []
  for (let i = 0; !isOver(); i++) {
    const raw = account.sign({ to: account.address, value: 1n, gas: 21_000 })
    under.push(rpcCall(urls[i % urls.length]!, 'eth_sendRawTransaction', [raw]))
    if (under.length >= transactionsPerSec) await Promise.all(under.splice(0))
    await sleep(1_000 / transactionsPerSec)
  }
  await Promise.all(under)
}

async function measure(info: DevnetInfo, attacker: Attacker | null): Promise<Period> {
  const url = info.nodes.find(({ role }) => role === 'sequencer')!.rpcUrl
  const cpu = nodesCpuSec(info)
  const began = performance.now()
  const before = attacker?.state
  const first = await blockNumber(url)
  await sleep(Number(seconds) * 1_000)
  const last = await blockNumber(url)
  const took = (performance.now() - began) / 1_000
  const times: number[] = []
  for (let height = first; height <= last; height++) {
    const context = await rpcCall<{ timestampMs: string }>(url, 'morphism_getContext', [`0x${height.toString(16)}`])
    times.push(Number(context.timestampMs))
  }
  const gaps = times.slice(1).map((time, i) => time - times[i]!)
  const after = attacker?.state
  return {
    intervalMs: (times.at(-1)! - times[0]!) / gaps.length,
    longestMs: Math.max(...gaps),
    cpuPercent: ((nodesCpuSec(info) - cpu) / took) * 100,
    attack: before &&
      after && {
        openedPerSec: (after.opened - before.opened) / took,
        open: after.open,
        cpuPercent: ((after.cpuSec - before.cpuSec) / took) * 100,
      },
  } as Period
}

const show = (name: string, { intervalMs, longestMs, cpuPercent, attack }: Period) => {
  const attacked = attack
    ? `; ${attack.openedPerSec.toFixed(0)} connections/s, ${attack.open} open, attacker ${attack.cpuPercent.toFixed(0)} % of a core`
    : ''
  console.log(
    `${name.padEnd(7)} block interval ${intervalMs.toFixed(1)} ms, longest ${longestMs} ms, nodes ${cpuPercent.toFixed(0)} % of a core${attacked}`,
  )
}

const info = await readDevnetInfo(file)
const ports = await sequencerPorts(file)
let isOver = false
const loading = load(info, () => isOver)
await sleep(3_000)
// With its first batch a node loads the trusted setup of KZG, once: that is not the attack's.
for (const { rpcUrl } of info.nodes)
  while (Number((await rpcCall<{ latestBatch: string }>(rpcUrl, 'morphism_nodeStatus')).latestBatch) < 1)
    await sleep(200)
const calm: Period[] = []
const attacked: Period[] = []
for (let round = 0; round < Number(rounds); round++) {
  calm.push(await measure(info, null))
  show('calm', calm.at(-1)!)
  const attacker = await Attacker.start(ports)
  try {
    attacked.push(await measure(info, attacker))
  } finally {
    attacker.stop()
  }
  show('attack', attacked.at(-1)!)
  // The sockets that the attack left go first.
  await sleep(2_000)
}
isOver = true
await loading
const mean = (periods: Period[]) => periods.reduce((sum, { intervalMs }) => sum + intervalMs, 0) / periods.length
console.log(`ratio   ${(mean(attacked) / mean(calm)).toFixed(3)} (${connections} connections; 1.10 is the bound)`)
process.exit(0)
