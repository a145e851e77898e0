import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processExists } from '../../src/app/devnet/node-process.js'
import { freePortRun } from '../../src/app/devnet/ports.js'
import { applicationTraceName } from '../../src/app/node/application-trace.js'
import { morphismBin } from '../../src/app/package-root.js'
import { callRpc } from '../../src/app/rpc-client.js'
import type { ProtocolParameters } from '../../src/base/protocol/protocol-parameters.js'
import { checkTrace } from '../fixtures/checked-trace.js'
import { setOf } from '../model/consensus-fixture.js'

/** A node as devnet.json describes it; `pid` follows restarts. */
export interface DevnetNode {
  readonly name: string
  readonly role: 'sequencer' | 'full'
  pid: number
  readonly rpcUrl: string
  readonly wsUrl: string
  readonly metricsUrl: string
  readonly dataDir: string
  readonly command: readonly string[]
}

/** devnet.json (protocol.md section 9). */
export interface DevnetJson {
  readonly l1: { readonly rpcUrl: string; readonly wsUrl: string; readonly chainId: number }
  readonly l2: { readonly chainId: number; readonly rpcUrl: string }
  readonly contracts: Readonly<Record<'rollup' | 'registry' | 'staking' | 'messageQueue', `0x${string}`>>
  readonly accounts: readonly { readonly address: `0x${string}`; readonly privateKey: `0x${string}` }[]
  readonly nodes: DevnetNode[]
}

/** Waits until the probe gives something; a probe that throws counts as nothing yet. */
export async function until<Value>(
  what: string,
  limitMs: number,
  probe: () => Promise<Value | null | undefined | false>,
  everyMs = 50,
): Promise<Value> {
  const deadline = Date.now() + limitMs
  let last: unknown
  while (Date.now() < deadline) {
    try {
      const value = await probe()
      if (value) return value
    } catch (error) {
      last = error
    }
    await sleep(everyMs)
  }
  throw new Error(`${what}: not within ${limitMs} ms${last ? ` (${last})` : ''}`)
}

/** Parameters with which no batch is sealed: no node spends seconds of CPU on the trusted setup of KZG, each time that it starts. */
export const withoutBatches: Partial<ProtocolParameters> = { batchIntervalMs: 3_600_000 }

/** A devnet of real processes on free ports, in a directory of its own. */
export class RunningDevnet {
  private readonly revived: ChildProcess[] = []
  private constructor(
    readonly json: DevnetJson,
    readonly dataDir: string,
    readonly ports: { readonly l1: number; readonly rpc: number },
    private readonly parameters: Partial<ProtocolParameters>,
    private readonly supervisor: ChildProcess,
  ) {}

  static async start({
    sequencers = 4,
    fullNodes = 1,
    again,
    parameters = again?.parameters ?? { batchIntervalMs: 3_000, submitterTurnSec: 10 },
  }: {
    sequencers?: number
    fullNodes?: number
    /** Continue a stopped devnet on its directory and ports, with its parameters. */
    again?: RunningDevnet
    /** Of the protocol: by default, shorter waits than a devnet's for batches. */
    parameters?: Partial<ProtocolParameters>
  } = {}): Promise<RunningDevnet> {
    const dataDir = again?.dataDir ?? mkdtempSync(path.join(os.tmpdir(), 'morphism-e2e-'))
    const firstPort = await freePortRun(sequencers + fullNodes + 2)
    const ports = again?.ports ?? { l1: firstPort, rpc: firstPort + 1 }
    const flags = [
      '--sequencers',
      `${sequencers}`,
      '--full-nodes',
      `${fullNodes}`,
      '--data-dir',
      dataDir,
      '--trace-application',
      ...Object.entries(parameters).flatMap(([name, value]) => ['--parameter', `${name}=${value}`]),
    ]
    const file = path.join(dataDir, 'devnet.json')
    // That of an earlier run would tell that this one is ready.
    rmSync(file, { force: true })
    const log = openSync(path.join(dataDir, 'devnet.log'), 'a')
    const supervisor = spawn(
      process.execPath,
      [morphismBin, 'devnet', ...flags, '--l1-port', `${ports.l1}`, '--rpc-port', `${ports.rpc}`],
      {
        stdio: ['ignore', log, log, 'ipc'],
      },
    )
    closeSync(log)
    try {
      await until('devnet.json', 150_000, async () => {
        if (supervisor.exitCode !== null) return true
        return existsSync(file)
      })
      if (supervisor.exitCode !== null)
        throw new Error(`the devnet ended: ${readFileSync(path.join(dataDir, 'devnet.log'), 'utf8').slice(-500)}`)
    } catch (error) {
      supervisor.kill('SIGINT')
      throw error
    }
    return new RunningDevnet(JSON.parse(readFileSync(file, 'utf8')), dataDir, ports, parameters, supervisor)
  }

  get sequencers(): DevnetNode[] {
    return this.json.nodes.filter(({ role }) => role === 'sequencer')
  }

  get full(): DevnetNode {
    return this.json.nodes.find(({ role }) => role === 'full')!
  }

  rpc<Answer>(node: DevnetNode, method: string, params: readonly unknown[] = []): Promise<Answer> {
    return callRpc<Answer>({ url: node.rpcUrl, method, params, timeoutMs: 15_000 })
  }

  l1<Answer>(method: string, params: readonly unknown[] = []): Promise<Answer> {
    return callRpc<Answer>({ url: this.json.l1.rpcUrl, method, params, timeoutMs: 15_000 })
  }

  async height(node: DevnetNode = this.full): Promise<number> {
    return Number(await this.rpc<string>(node, 'eth_blockNumber'))
  }

  /** The process of L1, a child of the devnet's. */
  l1Pid(): number {
    const children = readFileSync(`/proc/${this.supervisor.pid}/task/${this.supervisor.pid}/children`, 'utf8')
    for (const pid of children.trim().split(' ').map(Number))
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('anvil')) return pid
    throw new Error('the devnet has no anvil')
  }

  /** As `kill -9`. */
  kill(node: DevnetNode): void {
    if (processExists(node.pid)) process.kill(node.pid, 'SIGKILL')
  }

  /** Starts a killed node from its `command`. */
  revive(node: DevnetNode): void {
    const log = openSync(path.join(node.dataDir, 'node.log'), 'a')
    const child = spawn(node.command[0]!, node.command.slice(1), { stdio: ['ignore', log, log, 'ipc'] })
    closeSync(log)
    this.revived.push(child)
    node.pid = child.pid!
  }

  /** What the devnet sees when the program that started it dies. */
  orphan(): void {
    this.supervisor.disconnect()
  }

  /** As Ctrl-C; resolves with the exit code and the processes of the devnet that are still there. */
  async stop(): Promise<{ code: number | null; left: number[] }> {
    for (const child of this.revived) child.kill('SIGTERM')
    await Promise.all(this.revived.map(ended))
    this.supervisor.kill('SIGINT')
    await ended(this.supervisor)
    return { code: this.supervisor.exitCode, left: this.json.nodes.map(({ pid }) => pid).filter(processExists) }
  }

  /** Stops it, holds what its sequencers traced against the grammar, and removes its directory, unless KEEP is set in the environment. */
  async destroy(): Promise<void> {
    const { left } = await this.stop()
    for (const pid of left) process.kill(pid, 'SIGKILL')
    this.checkApplicationCalls()
    if (process.env.KEEP) console.log(`kept ${this.dataDir}`)
    else rmSync(this.dataDir, { recursive: true, force: true })
  }

  /** @throws GrammarViolation, and an Error when no sequencer of the devnet was watched */
  private checkApplicationCalls(): void {
    const set = setOf(this.sequencers.map(() => 1n))
    let finalized = 0
    for (const [self, { name, dataDir }] of this.sequencers.entries()) {
      const file = path.join(dataDir, applicationTraceName)
      if (!existsSync(file)) continue
      const trace = checkTrace(readFileSync(file, 'utf8'), () => ({ set, self }))
      if (trace.violation) throw new Error(`${name}: ${trace.violation.message}`, { cause: trace.violation })
      finalized += trace.finalized
    }
    if (finalized === 0) throw new Error('the calls of the application were not traced')
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise(resolve => child.once('exit', resolve))
}
