import { readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { filesOfIdentity, nodeFiles } from '../../src/app/node-files.js'
import { ChainLedger, heightOf } from './chain-ledger.js'
import { type DevnetNode, RunningDevnet, until, withoutBatches } from './running-devnet.js'
import { SteadyLoad } from './steady-load.js'

let devnet: RunningDevnet
let load: SteadyLoad
let ledger: ChainLedger

beforeAll(async () => {
  devnet = await RunningDevnet.start({ parameters: withoutBatches })
  load = SteadyLoad.start(devnet, { perSecond: 8 })
  ledger = new ChainLedger(devnet, load)
})
afterAll(() => devnet?.destroy())

const absentAt = async (node: DevnetNode, height: number) =>
  BigInt((await devnet.rpc<{ absent: string }>(node, 'morphism_getCertificate', [`0x${height.toString(16)}`])).absent)

/** Waits for so many blocks beyond the present ones at a node. */
async function moreBlocks(node: DevnetNode, count: number): Promise<number> {
  const from = Math.max(ledger.height, await heightOf(node))
  return until(`${count} more blocks at ${node.name}`, 60_000, async () => {
    const height = await heightOf(node)
    return height >= from + count && height
  })
}

/** Waits until a node's signature is in a certificate again. */
async function untilSigning(node: DevnetNode, observer: DevnetNode): Promise<void> {
  const bit = 1n << BigInt(devnet.sequencers.indexOf(node))
  await until(`${node.name} signs`, 60_000, async () => {
    const height = await heightOf(observer)
    return ((await absentAt(observer, height)) & bit) === 0n
  })
}

it('goes on without one of four, which catches up and signs when it is back', async () => {
  const [victim, observer] = devnet.sequencers as [DevnetNode, DevnetNode]
  devnet.kill(victim)
  await moreBlocks(observer, 3)
  expect(await absentAt(observer, await heightOf(observer))).toBe(1n)
  devnet.revive(victim)
  await untilSigning(victim, observer)
  expect(await heightOf(victim)).toBeGreaterThan(0)
})

it('decides nothing without two of four, and resumes when they are back', async () => {
  const [, , third, fourth] = devnet.sequencers as [DevnetNode, DevnetNode, DevnetNode, DevnetNode]
  const victims = [third, fourth]
  for (const node of victims) devnet.kill(node)
  const survivors = devnet.json.nodes.filter(node => !victims.includes(node))
  // What was decided when they died arrives yet.
  const settled = await until('the survivors to stand still', 30_000, async () => {
    const before = await Promise.all(survivors.map(heightOf))
    await sleep(1_000)
    const after = await Promise.all(survivors.map(heightOf))
    return after.every(height => height === before[0]) && after[0]
  })
  await sleep(3_000)
  for (const node of survivors) expect(await heightOf(node)).toBe(settled)
  const revivedAt = Date.now()
  for (const node of victims) devnet.revive(node)
  await until('blocks again', 60_000, async () => (await heightOf(devnet.full)) > settled!)
  console.log(`two of four killed: blocks ${Date.now() - revivedAt} ms after they were started again`)
  for (const node of victims) await untilSigning(node, devnet.sequencers[0]!)
})

it('a node without its data, but with its keys and signing record, gets all blocks from the others', async () => {
  const victim = devnet.sequencers[1]!
  devnet.kill(victim)
  wipe(victim)
  devnet.revive(victim)
  const target = await moreBlocks(devnet.full, 1)
  await until('the wiped node is level', 60_000, async () => (await heightOf(victim)) >= target)
  await untilSigning(victim, devnet.sequencers[0]!)
})

it('a devnet that was stopped continues both chains on its directory', async () => {
  await load.stop()
  await load.resendUnaccepted(devnet.full)
  await until('every transaction is in a block', 60_000, async () =>
    load.sent.every(({ hash }) => ledger.receipts.has(hash)),
  )
  await ledger.stop()
  const l1Before = Number(await devnet.l1<string>('eth_blockNumber'))
  expect(await devnet.stop()).toEqual({ code: 0, left: [] })
  devnet = await RunningDevnet.start({ again: devnet })
  await moreBlocks(devnet.full, 1)
  const height = await until('all nodes level', 60_000, async () => {
    const heights = await Promise.all(devnet.json.nodes.map(heightOf))
    return Math.min(...heights) > ledger.height && Math.min(...heights)
  })
  expect(await ledger.audit(height, devnet)).toEqual([])
  expect(Number(await devnet.l1<string>('eth_blockNumber'))).toBeGreaterThanOrEqual(l1Before)
  expect(load.accepted.length).toBeGreaterThan(50)
  console.log(`${load.accepted.length} of ${load.sent.length} accepted with a hash, ${height} blocks`)
})

/** Leaves what must never be lost: keys, and the record of what was signed. */
function wipe(node: DevnetNode): void {
  for (const entry of readdirSync(node.dataDir))
    if (!filesOfIdentity.has(entry) && entry !== nodeFiles.output)
      rmSync(path.join(node.dataDir, entry), { recursive: true, force: true })
}
