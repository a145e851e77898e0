import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import { AppError } from '../app-error.js'
import { readNetworkFile } from '../node/network-file.js'
import { onParentGone } from '../on-parent-gone.js'
import { morphismBin } from '../package-root.js'
import { callRpc } from '../rpc-client.js'
import { type Anvil, startAnvil } from './anvil.js'
import { createNetwork, devnetL1BlockTimeSec, devnetL1ChainId } from './create-network.js'
import { devnetUsers } from './devnet-accounts.js'
import { type DevnetNode, planNodes } from './devnet-nodes.js'
import { NetworkWatch } from './network-watch.js'
import { type NodeProcess, processExists, startNodeProcess } from './node-process.js'
import { requireFreePort } from './ports.js'
import { Screen } from './screen.js'
import { renderLine, renderTable } from './status-table.js'

/** What `morphism devnet` was asked for. */
export interface DevnetOptions {
  readonly sequencers: number
  readonly fullNodes: number
  readonly l1Port: number
  readonly rpcPort: number
  readonly dataDir: string
  readonly fresh: boolean
  readonly quiet: boolean
  readonly tracesApplication: boolean
  /** Parameters of the protocol that are to be others than a devnet's. */
  readonly changedParameters: Partial<ProtocolParameters>
}

/** How long the nodes may take to answer: they start side by side, and each one more makes all of them slower. */
const readyTimeoutMs = { least: 120_000, perNode: 12_000 }
const tableIntervalMs = 1_000
const lineIntervalMs = 5_000

/** Runs a devnet until the process is asked to stop; then stops everything it started. @throws AppError AnvilError */
export async function runDevnet(options: DevnetOptions): Promise<void> {
  const say = (line: string) => {
    if (!options.quiet) console.log(line)
  }
  const stopRequest = onStopRequest()
  const unlock = openDataDir(options)
  const started: NodeProcess[] = []
  let anvil: Anvil | null = null
  try {
    await requirePorts(options)
    say(`starting L1 (anvil) on port ${options.l1Port} …`)
    anvil = await startAnvil({
      port: options.l1Port,
      chainId: devnetL1ChainId,
      blockTimeSec: devnetL1BlockTimeSec,
      dataDir: path.join(options.dataDir, 'l1'),
    })
    const networkFile = await createNetwork({ ...options, l1RpcUrl: anvil.rpcUrl, say })
    const nodes = await planNodes({ ...options, networkFile, l1RpcUrl: anvil.rpcUrl, bin: morphismBin })
    say(`starting ${options.sequencers} sequencers and ${options.fullNodes} full nodes …`)
    const running = nodes.map(node => {
      const process_ = startNodeProcess({ command: node.command, logFile: node.logFile })
      started.push(process_)
      return { ...node, process: process_ }
    })
    const stoppedEarly = await Promise.race([waitUntilReady(running), stopRequest.then(() => true as const)])
    if (!stoppedEarly) {
      await writeDevnetJson({ options, networkFile, l1RpcUrl: anvil.rpcUrl, nodes: running })
      const first = running.find(node => node.role === 'full') ?? running[0]!
      console.log(
        `Devnet is ready: L2 ${first.rpcUrl}, L1 ${anvil.rpcUrl}, details in ${path.join(options.dataDir, 'devnet.json')}`,
      )
      await show({ options, l1RpcUrl: anvil.rpcUrl, nodes: running, until: stopRequest })
    }
  } finally {
    say('stopping …')
    await Promise.all(started.map(process_ => process_.stop()))
    await anvil?.stop()
    unlock()
  }
}

type RunningNode = DevnetNode & { readonly process: NodeProcess }

function onStopRequest(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    onParentGone(resolve)
  })
}

/** Makes the data directory this process's own. @throws AppError DATA_DIR, DEVNET_RUNNING */
function openDataDir({ dataDir, fresh }: DevnetOptions): () => void {
  const lock = path.join(dataDir, 'devnet.pid')
  try {
    mkdirSync(dataDir, { recursive: true })
    const holder = readPid(lock)
    if (holder !== null && holder !== process.pid && processExists(holder)) {
      throw new AppError(
        'DEVNET_RUNNING',
        `A devnet already runs on ${dataDir} (process ${holder}): stop it, or choose another --data-dir.`,
      )
    }
    if (fresh) {
      for (const entry of ['l1', 'nodes', 'network.json', 'devnet.json'])
        rmSync(path.join(dataDir, entry), { recursive: true, force: true })
    }
    rmSync(path.join(dataDir, 'devnet.json'), { force: true })
    writeFileSync(lock, `${process.pid}\n`)
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AppError('DATA_DIR', `The data directory ${dataDir} cannot be used: ${why}`, { dataDir }, { cause })
  }
  return () => rmSync(lock, { force: true })
}

function readPid(file: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return Number.isInteger(pid) ? pid : null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function requirePorts({ l1Port, rpcPort, sequencers, fullNodes }: DevnetOptions): Promise<void> {
  await requireFreePort({ port: l1Port, flag: '--l1-port' })
  const count = Math.max(fullNodes, 1) + sequencers
  for (let i = 0; i < count; i++) await requireFreePort({ port: rpcPort + i, flag: '--rpc-port' })
}

/** Resolves to false when every node answers and is ready. @throws AppError NODE_FAILED, NOT_READY */
async function waitUntilReady(nodes: readonly RunningNode[]): Promise<false> {
  const timeoutMs = Math.max(readyTimeoutMs.least, nodes.length * readyTimeoutMs.perNode)
  const deadline = Date.now() + timeoutMs
  for (const node of nodes) {
    for (;;) {
      if (!node.process.alive()) {
        throw new AppError(
          'NODE_FAILED',
          `${node.name} stopped while starting: ${lastError(node.logFile)} (log: ${node.logFile})`,
        )
      }
      if (await isReady(node.rpcUrl)) break
      if (Date.now() > deadline)
        throw new AppError(
          'NOT_READY',
          `${node.name} was not ready within ${timeoutMs / 1_000} s (log: ${node.logFile})`,
        )
      await sleep(50)
    }
  }
  return false
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await callRpc<{ ready: boolean }>({ url, method: 'morphism_nodeStatus', timeoutMs: 1_000 })).ready
  } catch {
    return false
  }
}

function lastError(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n')
  return lines.at(-1)?.slice(0, 300) ?? 'no output'
}

async function writeDevnetJson({
  options,
  networkFile,
  l1RpcUrl,
  nodes,
}: {
  options: DevnetOptions
  networkFile: string
  l1RpcUrl: string
  nodes: readonly RunningNode[]
}): Promise<void> {
  const network = await readNetworkFile(networkFile)
  const first = nodes.find(node => node.role === 'full') ?? nodes[0]!
  const content = {
    l1: { rpcUrl: l1RpcUrl, wsUrl: l1RpcUrl.replace(/^http/, 'ws'), chainId: network.l1.chainId },
    l2: { chainId: network.l2.chainId, rpcUrl: first.rpcUrl, wsUrl: first.wsUrl },
    contracts: network.l1.contracts,
    accounts: devnetUsers(),
    nodes: nodes.map(({ name, role, rpcUrl, wsUrl, metricsUrl, dataDir, command, process: { pid } }) => ({
      name,
      role,
      pid,
      rpcUrl,
      wsUrl,
      metricsUrl,
      dataDir,
      command,
    })),
  }
  const file = path.join(options.dataDir, 'devnet.json')
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

async function show({
  options,
  l1RpcUrl,
  nodes,
  until,
}: {
  options: DevnetOptions
  l1RpcUrl: string
  nodes: readonly RunningNode[]
  until: Promise<void>
}): Promise<void> {
  if (options.quiet) return until
  const stop = new AbortController()
  void until.then(() => stop.abort())
  const watch = new NetworkWatch(
    nodes.map(node => ({ ...node, pid: node.process.pid })),
    l1RpcUrl,
  )
  const screen = process.stdout.isTTY ? new Screen(process.stdout) : null
  while (!stop.signal.aborted) {
    const view = await watch.look()
    if (stop.signal.aborted) break
    if (screen) screen.draw(renderTable(view))
    else console.log(renderLine(view))
    // The end of the pause is the end of its timer too: the process would outlive its network for as long.
    await sleep(screen ? tableIntervalMs : lineIntervalMs, undefined, stop).catch(() => {})
  }
  await rm(path.join(options.dataDir, 'devnet.json'), { force: true })
}
