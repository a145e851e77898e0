import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { readForensicFile } from '../../src/app/forensics/forensic-file.js'
import { morphismBin } from '../../src/app/package-root.js'
import { precommit, type Vote } from '../../src/base/protocol/vote.js'
import { callMany } from './chain-ledger.js'
import { L1Batches } from './l1-batches.js'
import { type DevnetNode, RunningDevnet, until } from './running-devnet.js'
import { SteadyLoad } from './steady-load.js'

let devnet: RunningDevnet
let load: SteadyLoad
let l1: L1Batches
/** With it down, a quorum needs each of the others. */
let down: DevnetNode

beforeAll(async () => {
  devnet = await RunningDevnet.start()
  down = devnet.sequencers[0]!
  devnet.kill(down)
  load = SteadyLoad.start(devnet, { perSecond: 12 })
  l1 = new L1Batches(devnet)
  await blocksGoOn(3)
})
afterAll(async () => {
  await load?.stop()
  await devnet?.destroy()
})

/** As an operator does it. */
async function restart(node: DevnetNode, component: string): Promise<void> {
  const args = [morphismBin, 'restart', component, '--data-dir', node.dataDir]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
  expect(stdout).toMatch(new RegExp(`^${component} +running `, 'm'))
}

/** Waits for this many further blocks. */
async function blocksGoOn(count: number): Promise<number> {
  const height = (await devnet.height()) + count
  await until(`block ${height}`, 60_000, async () => (await devnet.height()) >= height)
  return height
}

/** A sequencer's own precommits, nil ones included, as it logged them before it signed them. */
async function ownPrecommits(node: DevnetNode): Promise<Vote[]> {
  const member = devnet.sequencers.indexOf(node)
  const { votes } = await readForensicFile(path.join(node.dataDir, 'consensus-wal'))
  return votes.filter(vote => vote.step === precommit && vote.member === member)
}

/**
 * Runs the task, and reads from certificates and the node's log that it voted at every height meanwhile, in every round. One of
 * four is down, so a round in which this one did not vote could neither decide nor end by the votes of the others.
 */
async function withoutMissedHeight(node: DevnetNode, task: () => Promise<void>): Promise<void> {
  const first = (await blocksGoOn(1)) + 1
  await task()
  const last = await blocksGoOn(1)
  // Its vote at the next height says that its log holds the last.
  await blocksGoOn(1)
  const heights = Array.from({ length: last - first + 1 }, (_, at) => first + at)
  const certificates = await callMany<{ round: string; blockHash: string; absent: string }>(
    devnet.full,
    heights.map(height => ({ method: 'morphism_getCertificate', params: [`0x${height.toString(16)}`] })),
  )
  const own = await ownPrecommits(node)
  const missed: string[] = []
  const rounds = new Map<number, number>()
  for (const [at, { round, blockHash, absent }] of certificates.entries()) {
    const height = heights[at]!
    const votes = own.filter(vote => vote.height === height)
    rounds.set(Number(round), (rounds.get(Number(round)) ?? 0) + 1)
    if (Number(absent) !== 1 << devnet.sequencers.indexOf(down)) missed.push(`${height}: certificate without ${absent}`)
    for (let began = 0; began <= Number(round); began++)
      if (!votes.some(vote => vote.round === began)) missed.push(`${height}: no precommit in round ${began}`)
    if (!votes.some(vote => vote.round === Number(round) && vote.blockHash === blockHash))
      missed.push(`${height}: no precommit for what was decided`)
  }
  console.log(node.name, `${heights.length} heights, by deciding round:`, Object.fromEntries(rounds))
  expect(missed).toEqual([])
}

it('RPC restarts without a missed height: it answers on the same port, and WebSockets are told to come back', async () => {
  const node = devnet.sequencers[1]!
  await withoutMissedHeight(node, async () => {
    for (let time = 0; time < 3; time++) {
      const socket = new WebSocket(node.wsUrl)
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
      const closed = new Promise<number>(resolve => socket.once('close', resolve))
      const filter = await devnet.rpc<string>(node, 'eth_newBlockFilter')
      await restart(node, 'rpc')
      expect(await closed).toBe(1012)
      await expect(devnet.rpc(node, 'eth_getFilterChanges', [filter])).rejects.toThrow('filter not found')
      expect(await devnet.height(node)).toBeGreaterThan(0)
      await blocksGoOn(2)
    }
  })
})

it('the batcher restarts without a missed height, and goes on attesting the same batches', async () => {
  const node = devnet.sequencers[2]!
  const sealed = Number((await devnet.rpc<{ latestBatch: string }>(node, 'morphism_nodeStatus')).latestBatch)
  await withoutMissedHeight(node, async () => {
    // At moments all over the life of a batch.
    let restarts = 0
    await until(`batch ${sealed + 1} at ${node.name}`, 60_000, async () => {
      await restart(node, 'batcher')
      await blocksGoOn(2)
      const { status = 'unknown' } = (await l1.batch(node, sealed + 1)) ?? {}
      return ++restarts >= 3 && !['unknown', 'sealed'].includes(status)
    })
  })
  const attested = (await ownPrecommits(node)).filter(({ extension }) => extension.length > 0)
  expect(attested.length).toBeGreaterThan(0)
  const theirs = await until('the batch at another node', 30_000, () => l1.batch(devnet.full, sealed + 1))
  expect((await l1.batch(node, sealed + 1))!.batchHash).toBe(theirs.batchHash)
})

it('the submitter restarts without a missed height, and posts each batch once', async () => {
  // The next batch that is not certified, and not of the sequencer that is down.
  const { latestBatch } = await devnet.rpc<{ latestBatch: string }>(devnet.full, 'morphism_nodeStatus')
  const next = Number(latestBatch) + 1
  const index = devnet.sequencers[next % 4] === down ? next + 1 : next
  const node = devnet.sequencers[index % 4]!
  const key = readFileSync(path.join(node.dataDir, 'submitter-key'), 'utf8').trim() as `0x${string}`
  const own = privateKeyToAccount(key).address.toLowerCase()
  await withoutMissedHeight(node, async () => {
    await until(
      `batch ${index} certified`,
      60_000,
      async () => (await l1.batch(node, index))?.status === 'certified',
      5,
    )
    await restart(node, 'submitter')
    await until(`a batch of ${node.name} on L1`, 120_000, async () => {
      const commits = await l1.commits()
      if (commits.some(({ batchIndex, from }) => batchIndex >= index && from.toLowerCase() === own)) return true
      await blocksGoOn(8)
      await restart(node, 'submitter')
      return false
    })
  })
  const commits = await l1.commits()
  expect(commits.map(({ batchIndex }) => batchIndex)).toEqual(commits.map((_, at) => at + 1))
})

it('no transaction that a node took is lost', async () => {
  await load.stop()
  const receipts = (hashes: readonly string[]) =>
    callMany<object | null>(
      devnet.full,
      hashes.map(hash => ({ method: 'eth_getTransactionReceipt', params: [hash] })),
    )
  const hashes = load.accepted.map(({ hash }) => hash)
  await until('all receipts', 30_000, async () => (await receipts(hashes)).every(receipt => receipt !== null))
  console.log(`${hashes.length} transactions, ${await devnet.height()} blocks`)
})
