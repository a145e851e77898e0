import type { DevnetInfo } from './bench-network.js'
import { rpcCall, sleep } from './bench-network.js'
import { type BlockIntervals, BlockWatch } from './block-watch.js'
import type { KillableNode } from './killable-node.js'
import { withOwnDevnet } from './own-devnet.js'
import { TransferLoad } from './transfer-load.js'

/** One sequencer killed and brought back, as another one saw it. */
export interface KillIntervals {
  readonly killed: string
  /** From the kill on. */
  readonly down: BlockIntervals
  /** From the start of its process until it was level with the others. */
  readonly returning: BlockIntervals
  readonly back: BlockIntervals
}

/** What one run of `morphism liveness` found. */
export interface LivenessReport {
  readonly sequencers: number
  readonly offeredPerSec: number
  readonly healthy: BlockIntervals
  readonly kills: readonly KillIntervals[]
  /** Mean block interval of all time with one down, over that of the healthy network. */
  readonly meanRatio: number
  /** Longest gap while one was down, the first after its kill among them. */
  readonly longestDownMs: number
}

export interface LivenessOptions {
  readonly sequencers: number
  readonly perSecond: number
  /** How long each state is measured. */
  readonly seconds: number
  /** Sequencers that are killed, one after the other. */
  readonly kills: number
  readonly say: (line: string) => void
}

/** Pause before a measurement, so that what went before is over. */
const calmMs = 2_000

/** Kills sequencers of a network of its own under a steady load, one at a time, and measures the intervals of blocks. @throws AppError */
export function measureLiveness(options: LivenessOptions): Promise<LivenessReport> {
  return withOwnDevnet(options, async ({ info, nodes }) => {
    const urls = info.nodes.map(({ rpcUrl }) => rpcUrl)
    const load = await TransferLoad.start({ info, urls, perSecond: options.perSecond })
    try {
      return await measure({ info, nodes, load, options })
    } finally {
      await load.stop()
    }
  })
}

interface Scene {
  readonly info: DevnetInfo
  readonly nodes: readonly KillableNode[]
  readonly load: TransferLoad
  readonly options: LivenessOptions
}

async function measure(scene: Scene): Promise<LivenessReport> {
  const { info, options } = scene
  const { sequencers, perSecond, kills, seconds, say } = options
  say('waiting for the first batch, so that one-time costs are not measured …')
  for (const { rpcUrl } of info.nodes)
    while (Number((await rpcCall<{ latestBatch: string }>(rpcUrl, 'morphism_nodeStatus')).latestBatch) < 1)
      await sleep(200)
  await sleep(calmMs)
  say(`all ${sequencers} up …`)
  const watch = await BlockWatch.open(info.nodes[0]!)
  const healthy = await during(watch, say, () => sleep(seconds * 1_000))
  watch.close()
  const found = []
  for (let i = 0; i < kills; i++) found.push(await killAndBringBack(scene, i % sequencers))
  const blocks = found.reduce((sum, { down }) => sum + down.blocks, 0)
  const spans = found.reduce((sum, { down }) => sum + down.blocks * down.meanMs, 0)
  return {
    sequencers,
    offeredPerSec: perSecond,
    healthy,
    kills: found,
    meanRatio: spans / blocks / healthy.meanMs,
    longestDownMs: Math.max(...found.map(({ down }) => down.longestMs)),
  }
}

async function killAndBringBack({ info, nodes, load, options }: Scene, index: number): Promise<KillIntervals> {
  const urls = info.nodes.map(({ rpcUrl }) => rpcUrl)
  const [node, observed] = [nodes[index]!, (index + 1) % nodes.length]
  const watch = await BlockWatch.open(info.nodes[observed]!)
  await sleep(calmMs)
  options.say(`${node.name} killed …`)
  const down = await during(watch, options.say, async () => {
    const killed = node.kill()
    load.use(urls.filter((_, i) => i !== index))
    await killed
    await sleep(options.seconds * 1_000)
  })
  options.say(`${node.name} started again …`)
  const returning = await during(watch, options.say, async () => {
    node.start()
    await node.reach(await nodes[observed]!.height())
  })
  load.use(urls)
  await sleep(calmMs)
  const back = await during(watch, options.say, () => sleep(options.seconds * 1_000))
  watch.close()
  return { killed: node.name, down, returning, back }
}

async function during(
  watch: BlockWatch,
  say: LivenessOptions['say'],
  task: () => Promise<void>,
): Promise<BlockIntervals> {
  const fromMs = performance.now()
  await task()
  const found = await watch.intervals({ fromMs, toMs: performance.now() })
  say(`  mean interval ${found.meanMs.toFixed(1)} ms, longest gap ${found.longestMs.toFixed(0)} ms`)
  return found
}
