import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, cpSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePortRun } from '../../src/app/devnet/ports.js'
import { callRpc } from '../../src/app/rpc-client.js'
import { type DevnetNode, RunningDevnet, until, withoutBatches } from './running-devnet.js'
import { SteadyLoad } from './steady-load.js'

let devnet: RunningDevnet
let load: SteadyLoad
let original: DevnetNode
let copy: ChildProcess | null = null

beforeAll(async () => {
  devnet = await RunningDevnet.start({ parameters: withoutBatches })
  original = devnet.sequencers[0]!
  load = SteadyLoad.start(devnet, { perSecond: 4 })
})
afterAll(async () => {
  await load?.stop()
  if (copy && copy.exitCode === null) {
    copy.kill('SIGTERM')
    await once(copy, 'exit')
  }
  await devnet?.destroy()
})

const linesOf = (dataDir: string, message: string) =>
  readFileSync(path.join(dataDir, 'node.log'), 'utf8')
    .split('\n')
    .filter(line => line.includes(message))

/** Starts a node from a full copy of the original's data directory, as `command` says but for its ports. */
async function startCopy(): Promise<{ dataDir: string; rpcUrl: string }> {
  const dataDir = path.join(devnet.dataDir, 'copy')
  // Neither its socket nor what it logged.
  cpSync(original.dataDir, dataDir, { recursive: true, filter: file => !/\.(ipc|log)$/.test(file) })
  const command = original.command.map(word => word.replace(original.dataDir, dataDir))
  const port = await freePortRun(3)
  for (const [at, flag] of ['--rpc-port', '--metrics-port', '--p2p-port'].entries())
    command[command.indexOf(flag) + 1] = `${port + at}`
  const log = openSync(path.join(dataDir, 'node.log'), 'a')
  copy = spawn(command[0]!, command.slice(1), { stdio: ['ignore', log, log] })
  closeSync(log)
  return { dataDir, rpcUrl: `http://127.0.0.1:${port}` }
}

it('takes neither the sessions nor the seat of the first, and says why it has none', async () => {
  const parted = 'peer disconnected'
  const before = linesOf(original.dataDir, parted).length
  const second = await startCopy()
  await until('the warning', 60_000, async () => linesOf(second.dataDir, 'another process may run with').length > 0)
  const height = await devnet.height()
  await until('20 blocks', 120_000, async () => (await devnet.height()) >= height + 20)
  expect(linesOf(original.dataDir, parted).length).toBe(before)
  const status = await callRpc({ url: second.rpcUrl, method: 'morphism_nodeStatus', params: [], timeoutMs: 15_000 })
  expect(status).toMatchObject({ peers: '0x0', signing: 'listening' })
  expect(await devnet.rpc(original, 'morphism_nodeStatus')).toMatchObject({ peers: '0x4', signing: 'active' })
})
