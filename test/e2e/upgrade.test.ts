import { createPublicClient, http } from 'viem'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { processExists } from '../../src/app/devnet/node-process.js'
import { heightOf } from './chain-ledger.js'
import { type DevnetNode, RunningDevnet, until, withoutBatches } from './running-devnet.js'
import { restartInOrder, scheduleUpgrades, upgradeStatus } from './scheduled-upgrade.js'
import { SteadyLoad } from './steady-load.js'

let devnet: RunningDevnet
let load: SteadyLoad

beforeAll(async () => {
  devnet = await RunningDevnet.start({ parameters: withoutBatches })
  load = SteadyLoad.start(devnet, { perSecond: 1 })
})
afterAll(async () => {
  await load?.stop()
  await devnet?.destroy()
})

const status = (node: DevnetNode) => upgradeStatus(devnet, node)
const blockGasLimit = 30_060_000
const hex = (height: number) => `0x${height.toString(16)}`

it('an upgrade is scheduled, rolled out node by node, and activates', async () => {
  const activation = (await heightOf(devnet.full)) + 100
  scheduleUpgrades(devnet, [{ version: 2, activationHeight: activation, parameters: { gasLimit: blockGasLimit } }])
  for (const node of devnet.sequencers) {
    const before = await heightOf(devnet.full)
    await restartInOrder(devnet, node, ({ signing, upgrade }) => upgrade !== null && signing === 'active')
    // A node can be back before the load's next transaction.
    await until('blocks go on', 5_000, async () => (await heightOf(devnet.full)) > before)
  }
  expect(await status(devnet.sequencers[0]!)).toMatchObject({
    protocolVersion: '0x1',
    upgrade: { version: '0x2', activationHeight: hex(activation), known: true },
  })
  expect(await heightOf(devnet.full)).toBeLessThan(activation)
  await load.stop()
  load = SteadyLoad.start(devnet, { perSecond: 30 })

  const [observer] = devnet.sequencers as [DevnetNode]
  const last = activation + 8
  await until('the activation passes', 120_000, async () => (await heightOf(observer)) >= last)
  const client = createPublicClient({ transport: http(observer.rpcUrl) })
  const limits: number[] = []
  for (let height = activation - 1; height <= activation + 3; height++)
    limits.push(Number((await client.getBlock({ blockNumber: BigInt(height) })).gasLimit))
  expect(limits).toEqual([30_000_000, 30_029_295, 30_058_619, blockGasLimit, blockGasLimit])
  for (const [height, version] of [
    [activation - 1, '0x1'],
    [activation, '0x2'],
  ] as const)
    expect(await devnet.rpc(observer, 'morphism_getContext', [hex(height)])).toMatchObject({ version })
  await untilAllSigned(observer, activation)
  expect(await status(observer)).toMatchObject({ protocolVersion: '0x2', upgrade: null })

  // The full node was not restarted: it stands before the height, says why, and loses nothing but time.
  expect(await heightOf(devnet.full)).toBe(activation - 1)
  const health = await fetch(devnet.full.metricsUrl.replace('/metrics', '/health'))
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({
    status: 'halted',
    reason: 'PROTOCOL_VERSION_UNKNOWN',
    detail: expect.stringContaining(`must be upgraded before height ${activation}`),
  })
  const { sentences } = await devnet.rpc<{ sentences: string[] }>(devnet.full, 'morphism_explain')
  expect(sentences[0]).toContain(`must be upgraded before height ${activation}`)
  process.kill(devnet.full.pid, 'SIGTERM')
  await until('the full node stops', 20_000, async () => !processExists(devnet.full.pid))
  devnet.revive(devnet.full)
  await until('the full node follows', 90_000, async () => (await heightOf(devnet.full)) >= last)
  const [mine, theirs] = await Promise.all(
    [devnet.full, observer].map(node => devnet.rpc<{ hash: string }>(node, 'eth_getBlockByNumber', [hex(last), false])),
  )
  expect(mine!.hash).toBe(theirs!.hash)
})

/** Waits until certificates of heights from `from` on hold the precommits of all four. */
async function untilAllSigned(node: DevnetNode, from: number): Promise<void> {
  let missing = 0b1111n
  let next = from
  await until('all four signed after the activation', 30_000, async () => {
    for (const head = await heightOf(node); next <= head; next++)
      missing &= BigInt((await devnet.rpc<{ absent: string }>(node, 'morphism_getCertificate', [hex(next)])).absent)
    return missing === 0n
  })
}
