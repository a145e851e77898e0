import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { AppError } from '../app-error.js'
import { freePortRun } from '../devnet/ports.js'
import { morphismBin } from '../package-root.js'
import { type DevnetInfo, readDevnetInfo, sleep } from './bench-network.js'
import { KillableNode } from './killable-node.js'

const startTimeoutMs = 180_000
const interrupts = ['SIGINT', 'SIGTERM'] as const

/** A devnet that a measurement has for itself. */
export interface OwnDevnet {
  readonly info: DevnetInfo
  readonly dataDir: string
  readonly nodes: readonly KillableNode[]
}

/** Starts a devnet without full nodes in a directory of its own, hands it over, and removes all of it, also when interrupted. @throws AppError NO_DEVNET */
export async function withOwnDevnet<Value>(
  { sequencers, say }: { readonly sequencers: number; readonly say: (line: string) => void },
  use: (devnet: OwnDevnet) => Promise<Value>,
): Promise<Value> {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), 'morphism-bench-'))
  const firstPort = await freePortRun(sequencers + 2)
  const ports = { l1: firstPort, rpc: firstPort + 1 }
  const flags = ['--sequencers', `${sequencers}`, '--full-nodes', '0', '--data-dir', dataDir, '--quiet']
  const command = [morphismBin, 'devnet', ...flags, '--l1-port', `${ports.l1}`, '--rpc-port', `${ports.rpc}`]
  say('starting a devnet of its own …')
  const devnet = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = new Promise<void>(resolve => devnet.once('exit', () => resolve()))
  let nodes: readonly KillableNode[] = []
  let removed: Promise<void> | undefined
  const removeAll = async () => {
    await Promise.all(nodes.map(node => node.discard()))
    devnet.kill('SIGINT')
    await exited
    rmSync(dataDir, { recursive: true, force: true })
  }
  const remove = () => {
    removed ??= removeAll()
    return removed
  }
  // It exits before what the measurement says of the nodes that are gone is heard.
  const interrupted = (_: NodeJS.Signals, number: number) => void remove().then(() => process.exit(128 + number))
  for (const signal of interrupts) process.once(signal, interrupted)
  try {
    const file = path.join(dataDir, 'devnet.json')
    const deadline = Date.now() + startTimeoutMs
    while (!existsSync(file)) {
      if (devnet.exitCode !== null || Date.now() > deadline)
        throw new AppError('NO_DEVNET', 'the devnet of the benchmark did not start')
      await sleep(100)
    }
    const info = await readDevnetInfo(file)
    nodes = info.nodes.map(node => new KillableNode(node))
    return await use({ info, dataDir, nodes })
  } finally {
    await remove()
    for (const signal of interrupts) process.removeListener(signal, interrupted)
  }
}
