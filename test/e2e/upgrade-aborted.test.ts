import { afterAll, beforeAll, expect, it } from 'vitest'
import { heightOf } from './chain-ledger.js'
import type { BatchAnswer } from './l1-batches.js'
import { RunningDevnet, until } from './running-devnet.js'
import { restartInOrder, scheduleUpgrades } from './scheduled-upgrade.js'
import { SteadyLoad } from './steady-load.js'

let devnet: RunningDevnet
let load: SteadyLoad

beforeAll(async () => {
  devnet = await RunningDevnet.start()
  load = SteadyLoad.start(devnet, { perSecond: 5 })
})
afterAll(async () => {
  await load?.stop()
  await devnet?.destroy()
})

/** Whether the newest batch that a node knows on L1 goes as far as this height. */
async function isOnL1(height: number): Promise<boolean> {
  const [observer] = devnet.sequencers
  const { committedBatch } = await devnet.rpc<{ committedBatch: string }>(observer!, 'morphism_nodeStatus')
  const { header } = await devnet.rpc<BatchAnswer>(observer!, 'morphism_getBatch', [committedBatch])
  return Number(header.lastBlock) >= height
}

it('an upgrade that only half of the sequencers have is taken out again, and batches go on to L1', async () => {
  const [first, , third] = devnet.sequencers
  const activation = (await heightOf(first!)) + 60
  scheduleUpgrades(devnet, [{ version: 2, activationHeight: activation, parameters: { gasLimit: 30_060_000 } }])
  for (const node of [first!, third!])
    await restartInOrder(devnet, node, ({ signing, upgrade }) => upgrade !== null && signing === 'active')
  await until('the chain halts before the activation', 120_000, async () =>
    (await Promise.all(devnet.sequencers.map(heightOf))).every(height => height === activation - 1),
  )
  scheduleUpgrades(devnet, [])
  for (const node of [first!, third!]) await restartInOrder(devnet, node, ({ upgrade }) => upgrade === null)
  await until('blocks go on', 60_000, async () => (await heightOf(first!)) > activation + 5)
  await until('a batch with the height of the activation is on L1', 120_000, () => isOnL1(activation), 500)
  const contexts = await devnet.rpc<{ version: string }>(first!, 'morphism_getContext', [
    `0x${activation.toString(16)}`,
  ])
  expect(contexts.version).toBe('0x1')
})
