import { explainNode } from '../../src/app/node/explain-node.js'
import type { Block } from '../../src/base/protocol/block.js'
import { MemoryHub } from '../../src/io/network/memory-network.js'
import { createInlineRecovery } from '../../src/io/recovery/inline-recovery.js'
import { VirtualClock } from '../../src/io/time/virtual-clock.js'
import type { ProtocolUpgrade } from '../../src/rules/upgrades/protocol-schedule.js'
import { SeededRandom } from '../model/seeded-random.js'
import { L1Endpoint } from '../simulation/simulated-l1.js'
import { foundNetwork, l1BlockMs, type Outdated, startMs } from '../simulation/simulated-network.js'
import { SimulatedNode } from '../simulation/simulated-node.js'

/** How a node stops: its process ends, its disk keeps all. */
const orderly = { power: false, torn: 0 }

/** Four sequencers of equal power in virtual time, some of them outdated, which may be restarted upgraded. */
export class UpgradeNetwork {
  readonly nodes: SimulatedNode[]
  /** Reasons for which nodes gave up. */
  readonly failures: unknown[] = []
  readonly logged: { readonly node: number; readonly message: string }[] = []
  /** Every block that some node has, by height. */
  readonly blocks: Block[] = []
  /** Members that signed any certificate of a height from the second on to the end. */
  private readonly signed = new Map<number, Set<number>>()
  private readonly forks: string[] = []
  private readonly time = new VirtualClock(startMs)
  private readonly hub = new MemoryHub({ clock: this.time, delayMs: () => 2 })
  private readonly network

  constructor({
    upgrades,
    outdated,
  }: { upgrades: readonly ProtocolUpgrade[]; outdated: readonly (Outdated | null)[] }) {
    this.network = foundNetwork({ seed: 'upgrade', size: 4, hasEqualPowers: true, upgrades })
    const { keys, submitters, terms, genesis, l1 } = this.network
    const recovery = createInlineRecovery()
    this.nodes = keys.map((secretKey, index) => {
      const node = new SimulatedNode({
        index,
        time: this.time,
        timers: new SeededRandom(index),
        hub: this.hub,
        terms,
        genesis,
        secretKey,
        submitter: submitters[index]!,
        l1: new L1Endpoint(l1, this.time),
        recovery,
        isFaulty: false,
        aggregation: undefined,
        watch: {
          committed: (_, { block, certificate }) => this.take(block, certificate.absent),
          gaveUp: (_, error) => void this.failures.push(error),
          logged: ({ index: of }, message) => void this.logged.push({ node: of, message }),
          signer: (_, signer) => signer,
        },
      })
      const lacks = outdated[index]
      if (lacks) node.protocol = this.network.outdated[lacks]
      return node
    })
    this.mineL1()
  }

  start(...members: number[]): void {
    for (const member of members) this.nodes[member]!.start()
  }

  /** Stops the node, gives it the software and the network file of today, and starts it again. */
  async upgrade(member: number): Promise<void> {
    const node = this.nodes[member]!
    node.crash(orderly)
    node.upgrade()
    await this.run(500)
    node.release()
  }

  stop(member: number): void {
    this.nodes[member]!.crash(orderly)
  }

  run(ms: number): Promise<void> {
    return this.time.advance(ms)
  }

  heights(): number[] {
    return this.nodes.map(node => node.height())
  }

  /** Two blocks of one height, peers that were punished, and nodes that gave up. */
  problems(): unknown[] {
    const punished = this.logged.filter(({ message }) =>
      /^peer (sent a block that is refused|misbehaves)/.test(message),
    )
    return [...this.forks, ...punished, ...this.failures]
  }

  /** Members whose precommits are in certificates of heights from `from` on. */
  signersFrom(from: number): number[] {
    const heights = [...this.signed].filter(([height]) => height >= from)
    return [...new Set(heights.flatMap(([, members]) => [...members]))].sort()
  }

  /** What `morphism explain` says at the node. */
  explain(member: number) {
    const { protocol, services, clock } = this.nodes[member]!
    const { chain, syncer, follower, sets, engine } = services!
    const progress = () => engine?.inProgress() ?? null
    const nowMs = () => this.time.nowMs() + clock.skewMs
    return explainNode({ protocol, chain, syncer, follower, sets, clock: { nowMs }, progress }, null) as {
      readonly reason: string
      readonly sentences: readonly string[]
      readonly notReadyToLead: readonly string[]
      readonly upgrade: object | null
    }
  }

  private take(block: Block, absent: bigint): void {
    const { number } = block.header
    const known = this.blocks[number]
    if (known && known.hash !== block.hash) this.forks.push(`two blocks of height ${number}`)
    this.blocks[number] = block
    const signers = this.signed.get(number) ?? new Set()
    for (const { index } of this.nodes) if (((absent >> BigInt(index)) & 1n) === 0n) signers.add(index)
    this.signed.set(number, signers)
  }

  private mineL1(): void {
    this.time.schedule(l1BlockMs, () => {
      const { l1 } = this.network
      l1.mine({ timestamp: Math.max(l1.head.timestamp + 1, Math.floor(this.time.nowMs() / 1_000)) })
      this.mineL1()
    })
  }
}
