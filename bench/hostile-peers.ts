import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import {
  blockNumber,
  type DevnetInfo,
  nodesCpuSec,
  readDevnetInfo,
  rpcCall,
  sleep,
} from '../src/app/bench/bench-network.js'
import { TransferLoad } from '../src/app/bench/transfer-load.js'
import { packageRoot } from '../src/app/package-root.js'

// Measures by how much connections of garbage to the sequencers slow block production: the mean time between blocks under a
// steady load, in periods that take turns: calm; the same attack on a process of no account (`elsewhere`), which takes CPU
// and kernel time of this machine too; the attack on the sequencers. attack/calm is what a user of this machine sees,
// attack/elsewhere what the attack costs the sequencers themselves.
// Usage: node build/bench/hostile-peers.js <devnet.json> [connections] [seconds of one period] [periods of each kind]

const [file, connections = '1000', seconds = '20', rounds = '3'] = process.argv.slice(2)
if (!file) {
  console.error('usage: node build/bench/hostile-peers.js <devnet.json> [connections] [seconds] [periods]')
  process.exit(2)
}
const transactionsPerSec = 50
/** The attacker yields to whom it attacks, where they share a scheduling group. */
const attackerNiceness = 19

interface Period {
  readonly intervalMs: number
  readonly longestMs: number
  readonly cpuPercent: number
  /** Of the attack: connections opened each second, open at the end, percent of a core that the attacker itself took. */
  readonly attack: { readonly openedPerSec: number; readonly open: number; readonly cpuPercent: number } | null
}

/** A child process that writes lines of JSON, and the last of them. */
class Reporter<State> {
  private constructor(
    private readonly child: ChildProcess,
    public state: State,
  ) {
    createInterface({ input: child.stdout! }).on('line', line => {
      this.state = JSON.parse(line) as State
    })
  }

  static start<State>({ args, state }: { args: readonly string[]; state: State }): Reporter<State> {
    const [program, ...rest] = args
    const script = path.join(packageRoot, 'build', program!)
    return new Reporter(spawn(process.execPath, [script, ...rest], { stdio: ['ignore', 'pipe', 'inherit'] }), state)
  }

  get pid(): number {
    return this.child.pid!
  }

  stop(): void {
    this.child.kill('SIGKILL')
  }
}

interface AttackerState {
  readonly opened: number
  readonly open: number
  readonly cpuSec: number
}

type Attacker = Reporter<AttackerState>

async function startAttack(ports: readonly number[]): Promise<Attacker> {
  const args = ['test/e2e/garbage-connections.js', connections, ...ports.map(String)]
  const attacker: Attacker = Reporter.start({ args, state: { opened: 0, open: 0, cpuSec: 0 } })
  setPriority(attacker.pid, attackerNiceness)
  while (attacker.state.opened < Number(connections)) await sleep(100)
  return attacker
}

async function startSink(count: number): Promise<Reporter<{ ports: readonly number[] }>> {
  const sink = Reporter.start({ args: ['bench/connection-sink.js', `${count}`], state: { ports: [] as number[] } })
  while (sink.state.ports.length < count) await sleep(50)
  return sink
}

async function sequencerPorts(devnet: string): Promise<number[]> {
  const { nodes } = JSON.parse(await readFile(devnet, 'utf8')) as { nodes: { role: string; command: string[] }[] }
  return nodes
    .filter(({ role }) => role === 'sequencer')
    .map(({ command }) => Number(command[command.indexOf('--p2p-port') + 1]))
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
    `${name.padEnd(9)} block interval ${intervalMs.toFixed(1)} ms, longest ${longestMs} ms, nodes ${cpuPercent.toFixed(0)} % of a core${attacked}`,
  )
}

const info = await readDevnetInfo(file)
const ports = await sequencerPorts(file)
const urls = info.nodes.filter(({ role }) => role === 'sequencer').map(({ rpcUrl }) => rpcUrl)
const load = await TransferLoad.start({ info, urls, perSecond: transactionsPerSec })
await sleep(3_000)
// With its first batch a node loads the trusted setup of KZG, once: that is not the attack's.
for (const { rpcUrl } of info.nodes)
  while (Number((await rpcCall<{ latestBatch: string }>(rpcUrl, 'morphism_nodeStatus')).latestBatch) < 1)
    await sleep(200)

async function attackedPeriod(name: string, targets: readonly number[]): Promise<Period> {
  const attacker = await startAttack(targets)
  try {
    const period = await measure(info, attacker)
    show(name, period)
    return period
  } finally {
    attacker.stop()
    // The sockets that the attack left go first.
    await sleep(2_000)
  }
}

const found: Record<'calm' | 'elsewhere' | 'attack', Period[]> = { calm: [], elsewhere: [], attack: [] }
const sink = await startSink(ports.length)
for (let round = 0; round < Number(rounds); round++) {
  found.calm.push(await measure(info, null))
  show('calm', found.calm.at(-1)!)
  found.elsewhere.push(await attackedPeriod('elsewhere', sink.state.ports))
  found.attack.push(await attackedPeriod('attack', ports))
}
sink.stop()
await load.stop()
const mean = (periods: Period[]) => periods.reduce((sum, { intervalMs }) => sum + intervalMs, 0) / periods.length
const ratio = (base: Period[]) => (mean(found.attack) / mean(base)).toFixed(3)
console.log(
  `ratio     attack/calm ${ratio(found.calm)}, attack/elsewhere ${ratio(found.elsewhere)} (${connections} connections)`,
)
process.exit(0)
