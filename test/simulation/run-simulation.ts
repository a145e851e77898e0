import { MorphismError } from '../../src/base/primitives/morphism-error.js'
import { createInlineRecovery } from '../../src/io/recovery/inline-recovery.js'
import type { ProtocolUpgrade } from '../../src/rules/upgrades/protocol-schedule.js'
import { type SeenSignature, watchedSigner } from '../fixtures/watched-signer.js'
import { FaultInjector } from './fault-injector.js'
import type { FaultSchedule } from './fault-schedule.js'
import { agreement } from './invariants/agreement.js'
import { deposits } from './invariants/deposits.js'
import { derivability } from './invariants/derivability.js'
import type { Invariant, Violate, Violation } from './invariants/invariant-watch.js'
import { noBreakdown } from './invariants/no-breakdown.js'
import { noFraming } from './invariants/no-framing.js'
import { singleSigning } from './invariants/single-signing.js'
import { transactionsKept } from './invariants/transactions-kept.js'
import { validity } from './invariants/validity.js'
import type { ScenarioName } from './scenario-names.js'
import { drawSchedule } from './scenarios.js'
import { sharedRecovery } from './shared-recovery.js'
import { L1Endpoint } from './simulated-l1.js'
import { foundNetwork, l1BlockMs, randomOf, startMs } from './simulated-network.js'
import { type NodeWatch, SimulatedNode } from './simulated-node.js'
import { SimulatedTime } from './simulated-time.js'
import { SimulatedWires } from './simulated-wires.js'
import { Trace } from './trace.js'
import { Workload } from './workload.js'

/** One run: everything in it follows from these. */
export interface SimulationSpec {
  readonly seed: string
  readonly nodes: number
  /** The run ends when every honest node has reached this height and the network is quiet. */
  readonly heights: number
  readonly scenario: ScenarioName
  /** Given to repeat a run with other faults than those that its seed and scenario draw. */
  readonly schedule?: FaultSchedule
  /** Time on every wire, one way; drawn from the seed for each message when left out. */
  readonly oneWayMs?: number
}

export interface SimulationResult {
  /** Null when every invariant held. */
  readonly violation: Violation | null
  /** Keccak-256 over everything that happened, in order. */
  readonly digest: string
  readonly events: number
  readonly heights: number
  readonly transactions: number
  readonly batches: number
  readonly virtualMs: number
  /** By height: virtual ms after the start at which the last honest node had committed it. */
  readonly decidedAtMs: readonly number[]
  /** The faults that struck. */
  readonly schedule: FaultSchedule
}

/** After the last fault, every honest node must decide this many heights within this time. */
const progressHeights = 3
const progressMs = 60_000
/** Then so much time is given for each height that is still missing, and in the end for what was accepted and certified. */
const heightMs = 1_500
const drainMs = 60_000
/** How often it is looked whether heights are decided. */
const lookMs = 1_000

/** Above the least round trip of a run: where most nodes are near a node, and some are not. */
const someAreNearMs = 11

/** What the network of the scenario `upgrade` upgrades to in the middle of its run. */
const upgradeAt = (activationHeight: number): ProtocolUpgrade => ({
  version: 2,
  activationHeight,
  parameters: { gasLimit: 30_500_000, minBlockIntervalMs: 150, batchBlocks: 20, maxMessagesPerBlock: 2 },
})

/** Runs a network of real services in virtual time until the heights are reached or an invariant breaks. */
export async function runSimulation(spec: SimulationSpec): Promise<SimulationResult> {
  return (await Simulation.found(spec)).run()
}

class Simulation {
  private violation: Violation | null = null
  private isDraining = false
  private readonly nodes: SimulatedNode[]
  private readonly honest: SimulatedNode[]
  private readonly invariants: readonly Invariant[]
  private readonly workload: Workload
  private readonly injector: FaultInjector
  private readonly decidedAtMs: number[] = []

  static async found(spec: SimulationSpec): Promise<Simulation> {
    const trace = await Trace.begin()
    const { seed, scenario, heights } = spec
    const upgrades = scenario === 'upgrade' ? [upgradeAt(Math.ceil(heights / 2))] : []
    const network = foundNetwork({ seed, size: spec.nodes, upgrades })
    const schedule = spec.schedule ?? drawSchedule({ seed, set: network.terms.genesisSet, heights, scenario })
    const simulation: { current: Simulation | null } = { current: null }
    const violate =
      (invariant: string): Violate =>
      detail =>
        simulation.current?.violate(invariant, detail)
    const audit = await validity({
      genesis: network.genesis,
      violate: { validity: violate('validity'), balances: violate('balances') },
    })
    simulation.current = new Simulation(spec, { schedule, trace, network, audit, violate })
    return simulation.current
  }

  private readonly time = new SimulatedTime(startMs)
  private readonly kept: ReturnType<typeof transactionsKept>

  private constructor(
    private readonly spec: SimulationSpec,
    private readonly parts: {
      readonly schedule: FaultSchedule
      readonly trace: Trace
      readonly network: ReturnType<typeof foundNetwork>
      readonly audit: Awaited<ReturnType<typeof validity>>
      readonly violate: (invariant: string) => Violate
    },
  ) {
    const { trace, network, audit, violate } = parts
    const { time } = this
    const { terms, keys, submitters, genesis, l1 } = network
    const faulty = new Set(parts.schedule.faulty)
    const isFaulty = (member: number) => faulty.has(member)
    this.kept = transactionsKept({ violate: violate('transactions-kept') })
    this.invariants = [
      agreement({ set: terms.genesisSet, domain: terms.domain, violate: violate('agreement') }),
      singleSigning({ violate: violate('single-signing') }),
      noFraming({ isFaulty, violate: violate('no-framing') }),
      noBreakdown({ violate: violate('no-breakdown') }),
      audit,
      this.kept,
      deposits({ reader: l1.reader(), decided: audit.blocks, violate: violate('deposits') }),
      derivability({
        terms,
        genesis,
        reader: l1.reader(),
        decided: audit.blocks,
        violate: violate('derivability'),
      }),
    ]
    const wires = new SimulatedWires({ time, random: randomOf(spec.seed, 'wires'), trace, oneWayMs: spec.oneWayMs })
    const recovery = sharedRecovery(createInlineRecovery())
    const watch = this.watch()
    this.nodes = keys.map(
      (secretKey, index) =>
        new SimulatedNode({
          index,
          time,
          timers: randomOf(spec.seed, `timers of ${index}`),
          hub: wires.hub,
          terms,
          genesis,
          secretKey,
          submitter: submitters[index]!,
          l1: new L1Endpoint(l1, time),
          recovery,
          isFaulty: isFaulty(index),
          aggregation:
            spec.scenario === 'aggregation'
              ? { leastMembers: 4, nearMs: 2 * wires.baseMs + someAreNearMs, mistrustHeights: 4 }
              : undefined,
          watch,
        }),
    )
    for (const event of parts.schedule.events)
      if (event.kind === 'upgrade') this.nodes[event.node]!.protocol = network.outdated[event.lacks]
    this.honest = this.nodes.filter(({ index }) => !isFaulty(index))
    const random = randomOf(spec.seed, 'workload')
    const { seed } = spec
    this.workload = new Workload({
      chainId: terms.l2ChainId,
      seed,
      random,
      time,
      nodes: this.honest,
      l1,
      promises: this.kept.promises,
    })
    this.injector = new FaultInjector({ time, nodes: this.nodes, wires, l1, trace })
  }

  /** What breaks outside every node's own handling counts against the network too. */
  async run(): Promise<SimulationResult> {
    const broke = (error: unknown) =>
      this.violate('no-breakdown', error instanceof Error ? String(error.stack) : String(error))
    process.on('unhandledRejection', broke)
    try {
      await this.play()
    } catch (error) {
      broke(error)
    } finally {
      process.off('unhandledRejection', broke)
    }
    return this.result()
  }

  private async play(): Promise<void> {
    for (const node of this.nodes) node.start()
    this.mineL1()
    this.workload.start()
    const { events } = this.parts.schedule
    this.injector.plan(events)
    this.watchProgress()
    await this.pass(Math.max(0, ...events.map(event => event.atMs + ('forMs' in event ? event.forMs : 0))))
    await this.progress()
    await this.reachHeights()
    await this.drain()
    for (const invariant of this.invariants) if (!this.violation) await invariant.atEnd?.()
  }

  /** Everything that a height needs is there again: each honest node must decide. */
  private async progress(): Promise<void> {
    const goal = Math.max(...this.heights()) + progressHeights
    await this.pass(progressMs, () => Math.min(...this.heights()) >= goal)
    if (Math.min(...this.heights()) < goal) this.stuck(goal, progressMs)
  }

  private async reachHeights(): Promise<void> {
    const goal = this.spec.heights
    const limit = Math.max(0, goal - Math.min(...this.heights())) * heightMs
    await this.pass(limit, () => Math.min(...this.heights()) >= goal)
    if (Math.min(...this.heights()) < goal) this.stuck(goal, limit)
  }

  /** Enemies alone, below a third of the power, stop nobody: while nothing else strikes, heights are decided within the bound. */
  private watchProgress(): void {
    const others = this.parts.schedule.events.filter(({ kind }) => kind !== 'byzantine')
    let since = this.time.nowMs()
    let height = -1
    const look = () => {
      if (this.isDraining) return
      const now = this.time.nowMs() - startMs
      const isDisturbed = others.some(
        event => event.atMs <= now && now <= event.atMs + ('forMs' in event ? event.forMs : 0),
      )
      const least = Math.min(...this.heights())
      if (isDisturbed || least > height) since = this.time.nowMs()
      height = least
      if (this.time.nowMs() - since > progressMs) this.stuck(height + 1, progressMs)
      this.time.schedule(lookMs, look)
    }
    look()
  }

  private async drain(): Promise<void> {
    this.isDraining = true
    this.workload.stop()
    const goal = Math.max(1, ...this.honest.map(node => node.services?.batcher.latestCertified() ?? 0))
    await this.pass(drainMs, () => this.kept.missing() === 0 && this.committedBatches() >= goal)
    if (this.committedBatches() < goal)
      this.violate('progress', `of ${goal} certified batches L1 has ${this.committedBatches()}`)
  }

  private committedBatches(): number {
    return Math.max(...this.honest.map(node => node.services?.follower.lastCommitted() ?? 0))
  }

  private stuck(goal: number, afterMs: number): void {
    this.violate(
      'progress',
      `heights are ${this.heights().join(', ')}, not ${goal}, after ${afterMs} ms without faults but of enemies`,
    )
  }

  private heights(): number[] {
    return this.honest.map(node => node.height())
  }

  private async pass(ms: number, isDone: () => boolean = () => false): Promise<void> {
    await this.time.advance(ms, () => this.violation !== null || isDone())
  }

  private mineL1(): void {
    const { l1 } = this.parts.network
    this.time.schedule(l1BlockMs, () => {
      const timestamp = Math.max(l1.head.timestamp + 1, Math.floor(this.time.nowMs() / 1_000))
      const { number, hash } = l1.mine({ timestamp })
      this.parts.trace.add(`${this.time.nowMs()} l1 ${number} ${hash}`)
      this.mineL1()
    })
  }

  private violate(invariant: string, detail: string): void {
    this.violation ??= { invariant, detail, atMs: this.time.nowMs() - startMs }
  }

  private watch(): NodeWatch {
    const { domain } = this.parts.network.terms
    const isHonest = (node: SimulatedNode) => this.honest.includes(node)
    return {
      committed: (node, committed) => {
        const { number } = committed.block.header
        this.parts.trace.add(`${this.time.nowMs()} node-${node.index} commits ${number} ${committed.block.hash}`)
        if (!isHonest(node)) return
        this.decidedAtMs[number] = this.time.nowMs() - startMs
        for (const invariant of this.invariants) invariant.onCommitted?.(node, committed)
      },
      gaveUp: (node, error) => {
        const code = error instanceof MorphismError ? error.code : 'unknown'
        this.parts.trace.add(`${this.time.nowMs()} node-${node.index} gives up: ${code}`)
        if (isHonest(node)) for (const invariant of this.invariants) invariant.onGaveUp?.(node, error)
      },
      logged: (node, message, fields) => {
        for (const invariant of this.invariants) invariant.onLogged?.(node, message, fields)
      },
      signer: (node, signer) => watchedSigner({ signer, domain, onSigned: signed => this.onSigned(node, signed) }),
    }
  }

  /** Also of a faulty node: what it signs against the rules does not come from its guarded signer. */
  private onSigned(node: SimulatedNode, signed: SeenSignature): void {
    const { kind, position, digest } = signed
    this.parts.trace.add(`${this.time.nowMs()} node-${node.index} signs ${kind} ${position} ${digest}`)
    for (const invariant of this.invariants) invariant.onSigned?.(node, signed)
  }

  private result(): SimulationResult {
    const { trace, schedule } = this.parts
    return {
      violation: this.violation,
      events: trace.events,
      digest: trace.digest(),
      heights: Math.min(...this.heights()),
      transactions: this.kept.counts.included,
      batches: this.committedBatches(),
      virtualMs: this.time.nowMs() - startMs,
      decidedAtMs: this.decidedAtMs,
      schedule,
    }
  }
}
