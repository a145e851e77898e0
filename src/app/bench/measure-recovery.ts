import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stat, truncate } from 'node:fs/promises'
import path from 'node:path'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import { AppError } from '../app-error.js'
import { filesOfIdentity, nodeFiles } from '../node-files.js'
import type { KillableNode } from './killable-node.js'
import { type OwnDevnet, withOwnDevnet } from './own-devnet.js'

/** How a node joins again: until it answers, is level with the others, and a block carries its precommit. */
export interface JoinTimes {
  readonly answersMs: number
  readonly levelMs: number
  readonly signsMs: number
}

/** What one run of `morphism recovery` found. All times are from the start of the processes, in milliseconds. */
export interface RecoveryReport {
  readonly sequencers: number
  readonly allKilled: {
    readonly height: number
    /** Until every node answers: what starting the programs takes of the rest. */
    readonly answersMs: number
    /** Until the first block above the old height at any node, and until every node has it. */
    readonly firstBlockMs: number
    readonly allNodesMs: number
  }
  readonly wiped: {
    readonly nodes: number
    /** Blocks that each fetched from the node that was left. */
    readonly height: number
    readonly answersMs: number
    /** Until all have the old head, and until all have a block above it. */
    readonly atHeadMs: number
    readonly goesOnMs: number
  }
  readonly oneBack: {
    /** Blocks that the others made meanwhile, and how long that took. */
    readonly blocks: number
    readonly awayMs: number
  } & JoinTimes
  /** The log cut by so many bytes from its end. */
  readonly cutLog: readonly ({ readonly bytes: number } & JoinTimes)[]
}

export interface RecoveryOptions {
  readonly sequencers: number
  /** Blocks that one node misses. */
  readonly blocks: number
  /** Interval of blocks of the measured network, milliseconds. */
  readonly intervalMs: number
  readonly say: (line: string) => void
}

/** Bytes cut from the end of the log: one, a part of a frame's head, a part of its body. */
const logCuts = [1, 7, 60]
/** Blocks before the first measurement. */
const warmBlocks = 20

/** Kills, wipes and cuts a network of its own, and times how it comes back. @throws AppError */
export function measureRecovery(options: RecoveryOptions): Promise<RecoveryReport> {
  return withOwnDevnet(options, devnet => measure(devnet, options))
}

async function measure({ nodes, dataDir }: OwnDevnet, options: RecoveryOptions): Promise<RecoveryReport> {
  const { say, sequencers, blocks, intervalMs } = options
  say(`setting the interval of blocks, empty ones too, to ${intervalMs} ms …`)
  await Promise.all(nodes.map(node => node.kill()))
  setBlockInterval(path.join(dataDir, 'network.json'), intervalMs)
  for (const node of nodes) node.start()
  await Promise.all(nodes.map(node => node.reach(warmBlocks)))
  say('killing all nodes together …')
  const allKilled = await killAll(nodes)
  say(`wiping ${nodes.length - 1} of ${nodes.length} nodes, but for keys and signing records …`)
  const wiped = await wipe(nodes)
  say(`one node away for ${blocks} blocks …`)
  const oneBack = await comeBack(nodes, blocks, say)
  say(`cutting ${logCuts.join(', ')} bytes from the end of a log …`)
  const cutLog = []
  for (const bytes of logCuts) cutLog.push(await cut(nodes, bytes))
  return { sequencers, allKilled, wiped, oneBack, cutLog }
}

function setBlockInterval(file: string, intervalMs: number): void {
  const network = JSON.parse(readFileSync(file, 'utf8')) as { parameters: ProtocolParameters }
  const intervals = { minBlockIntervalMs: intervalMs, emptyBlockIntervalMs: intervalMs }
  const changed = { ...network, parameters: { ...network.parameters, ...intervals } }
  writeFileSync(file, `${JSON.stringify(changed, null, 2)}\n`)
}

async function killAll(nodes: readonly KillableNode[]): Promise<RecoveryReport['allKilled']> {
  const height = await highest(nodes)
  await Promise.all(nodes.map(node => node.kill()))
  const began = performance.now()
  for (const node of nodes) node.start()
  const since = () => Math.round(performance.now() - began)
  const answered = nodes.map(node => node.height().then(since))
  const reached = nodes.map(node => node.reach(height + 1).then(since))
  const [answersMs, firstBlockMs, allNodesMs] = await Promise.all([
    latest(answered),
    Promise.race(reached),
    latest(reached),
  ])
  return { height, answersMs, firstBlockMs, allNodesMs }
}

async function wipe([left, ...others]: readonly KillableNode[]): Promise<RecoveryReport['wiped']> {
  await Promise.all(others.map(node => node.kill()))
  const height = await left!.height()
  for (const { dataDir } of others)
    for (const entry of readdirSync(dataDir)) {
      if (!filesOfIdentity.has(entry) && entry !== nodeFiles.output)
        rmSync(path.join(dataDir, entry), { recursive: true })
    }
  const began = performance.now()
  for (const node of others) node.start()
  const since = () => Math.round(performance.now() - began)
  const times = await Promise.all(
    others.map(async node => {
      await node.height()
      const answersMs = since()
      await node.reach(height)
      const atHeadMs = since()
      await node.reach(height + 1)
      return { answersMs, atHeadMs, goesOnMs: since() }
    }),
  )
  const hashes = new Set(await Promise.all([left!, ...others].map(node => node.blockHash(height))))
  if (hashes.size !== 1) throw new AppError('RECOVERY_FAILED', `the nodes differ at height ${height}`, { height })
  return {
    nodes: others.length,
    height,
    answersMs: Math.max(...times.map(({ answersMs }) => answersMs)),
    atHeadMs: Math.max(...times.map(({ atHeadMs }) => atHeadMs)),
    goesOnMs: Math.max(...times.map(({ goesOnMs }) => goesOnMs)),
  }
}

async function comeBack(
  nodes: readonly KillableNode[],
  blocks: number,
  say: (line: string) => void,
): Promise<RecoveryReport['oneBack']> {
  const [last, others] = [nodes.at(-1)!, nodes.slice(0, -1)]
  await last.kill()
  const from = await highest(others)
  const left = performance.now()
  for (let made = 0; made < blocks; ) {
    const step = Math.min(blocks, made + 500)
    await others[0]!.reach(from + step)
    made = (await highest(others)) - from
    say(`  ${made} blocks without it …`)
  }
  const awayMs = Math.round(performance.now() - left)
  const made = (await highest(others)) - from
  return { blocks: made, awayMs, ...(await startAndJoin(last, others)) }
}

async function cut(nodes: readonly KillableNode[], bytes: number): Promise<RecoveryReport['cutLog'][number]> {
  const [first, ...others] = nodes
  await first!.kill()
  const log = path.join(first!.dataDir, nodeFiles.consensusLog)
  const { size } = await stat(log)
  await truncate(log, Math.max(0, size - bytes))
  return { bytes, ...(await startAndJoin(first!, others)) }
}

/** Starts the node; times until it is level with the others, and until a block above that carries its precommit. */
async function startAndJoin(node: KillableNode, others: readonly KillableNode[]): Promise<JoinTimes> {
  const began = performance.now()
  node.start()
  await node.height()
  const answersMs = Math.round(performance.now() - began)
  let level = 0
  do {
    await node.reach(await highest(others))
    level = await node.height()
  } while (level + 1 < (await highest(others)))
  const levelMs = Math.round(performance.now() - began)
  await others[0]!.reachSignedBy(node.name, level)
  return { answersMs, levelMs, signsMs: Math.round(performance.now() - began) }
}

const latest = async (times: readonly Promise<number>[]): Promise<number> => Math.max(...(await Promise.all(times)))

async function highest(nodes: readonly KillableNode[]): Promise<number> {
  return Math.max(...(await Promise.all(nodes.map(node => node.height()))))
}
