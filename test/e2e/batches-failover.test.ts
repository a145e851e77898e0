import { afterAll, beforeAll, expect, it } from 'vitest'
import { heightOf } from './chain-ledger.js'
import { L1Batches } from './l1-batches.js'
import { type DevnetNode, RunningDevnet, until } from './running-devnet.js'
import { SteadyLoad } from './steady-load.js'

let devnet: RunningDevnet
let load: SteadyLoad
let l1: L1Batches

beforeAll(async () => {
  devnet = await RunningDevnet.start()
  load = SteadyLoad.start(devnet, { perSecond: 5 })
  l1 = new L1Batches(devnet)
  await l1.untilCommitted(1)
})
afterAll(async () => {
  await load?.stop()
  await devnet?.destroy()
})

/** Every batch once and in order, the same at every node. */
async function expectOneChain(): Promise<void> {
  const commits = await l1.commits()
  expect(commits.map(({ batchIndex }) => batchIndex)).toEqual(commits.map((_, i) => i + 1))
  for (const [i, { args }] of commits.entries()) {
    const parent = commits[i - 1]
    if (parent) expect(args[0].firstBlock).toBe(parent.args[0].lastBlock + 1n)
    if (parent) expect(args[0].parentBatchHash).toBe(parent.batchHash)
  }
  for (const { batchIndex, batchHash } of commits)
    for (const node of devnet.json.nodes)
      await until(`batch ${batchIndex} at ${node.name}`, 60_000, async () => {
        const known = await l1.batch(node, batchIndex)
        if (known) expect(known.batchHash).toBe(batchHash)
        return known
      })
}

it('another posts after the turn of a dead sequencer, and the turn counts as missed', async () => {
  const next = (await l1.commits()).length + 1
  // Its batch is not yet sealed: the one after the next has a holder that is dead in time.
  const holder = devnet.sequencers[(next + 1) % 4]!
  devnet.kill(holder)
  const commits = await l1.untilCommitted(next + 1, 120_000)
  const missed = await l1.events('TurnMissed')
  expect(missed.map(({ args }) => Number(args.batchIndex))).toContain(next + 1)
  expect(commits[next]!.from).not.toBe(commits[next - 1]!.from)
  devnet.revive(holder)
  await until(
    'the holder is back',
    60_000,
    async () => (await heightOf(holder)) >= Number(commits[next]!.args[0].lastBlock),
  )
  await expectOneChain()
})

it('no batch is lost or posted twice when all nodes die between certificate and commit', async () => {
  const index = (await l1.commits()).length + 1
  await until(
    'a certificate that L1 has not seen',
    60_000,
    async () => {
      const statuses = await Promise.all(devnet.sequencers.map(node => l1.batch(node, index)))
      return statuses.some(batch => batch?.status === 'certified' || batch?.status === 'committed')
    },
    5,
  )
  for (const node of devnet.json.nodes) devnet.kill(node)
  for (const node of devnet.json.nodes) devnet.revive(node)
  await l1.untilCommitted(index + 1, 120_000)
  await expectOneChain()
})

it('a commit that a reorganisation of L1 drops is posted again', async () => {
  const commits = await l1.untilCommitted((await l1.commits()).length + 1)
  const dropped = commits.at(-1)!
  const head = Number(await devnet.l1<string>('eth_blockNumber'))
  await devnet.l1('anvil_reorg', [head - dropped.blockNumber + 3, []])
  const count = async () => (await l1.events('BatchCommitted')).length - 1
  expect(await count()).toBeLessThan(commits.length)
  const again = await l1.untilCommitted(commits.length + 1)
  expect(again[commits.length - 1]!.batchHash).toBe(dropped.batchHash)
  await expectOneChain()
  const settled = async (node: DevnetNode) => (await l1.batch(node, dropped.batchIndex))!.status
  for (const node of devnet.json.nodes) expect(['committed', 'finalized']).toContain(await settled(node))
})
