import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { Block } from '../../base/protocol/block.js'
import type { ConsensusMessage } from '../../base/protocol/consensus-message.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { Vote } from '../../base/protocol/vote.js'
import type { VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import type { ConsensusSigner } from '../../io/keys/consensus-signer.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { PeerNetwork } from '../../io/network/peer-network.js'
import type { AppendLog } from '../../io/storage/append-log.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Counter, Gauge, Histogram, Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import type { ParentBlock } from '../../rules/blocks/block-attributes.js'
import { type ConsensusCore, createConsensusCore } from '../../rules/consensus/core.js'
import type { ConsensusInput, ConsensusOutput } from '../../rules/consensus/core-messages.js'
import { proposerOf } from '../../rules/consensus/proposer-rotation.js'
import type { Verified } from '../../rules/consensus/verified.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import type { Application, WorkSource } from './application.js'
import { ApplicationCalls } from './application-calls.js'
import { type HeightInProgress, heightInProgress } from './explain/height-in-progress.js'
import { HeightProgress } from './explain/height-progress.js'
import { MemberWatch } from './member-watch.js'
import { MessageDoor } from './message-door.js'
import { RoundGossip } from './round-gossip.js'
import { OwnMessages } from './signing/own-messages.js'
import { StepTiming } from './step-timing.js'
import type { AggregationConfig } from './votes/near-aggregator.js'
import { OwnVoteRoute } from './votes/own-vote-route.js'
import { VoteAggregator } from './votes/vote-aggregator.js'
import { isAnswered } from './wal/answered.js'
import { InputLog } from './wal/input-log.js'
import { decodeWalRecord, isInput, type LoggedInput, type WalRecord } from './wal/wal-record.js'
import { WorkWatch } from './work-watch.js'

export interface EngineConfig {
  readonly protocol: Pick<ProtocolSchedule, 'at'>
  readonly domain: SigningDomain
  readonly aggregation: AggregationConfig
}

export interface EnginePorts {
  readonly application: Application
  readonly work: WorkSource
  /** The head that the next height builds on. */
  readonly head: () => ParentBlock
  /** Whether the height in progress is this node's to decide: not when it lacks the height's protocol version. */
  readonly takesPart: () => boolean
  readonly sets: { setAt(height: Height): SequencerSet }
  readonly signer: ConsensusSigner
  readonly verifier: Pick<SignatureVerifier, 'verify' | 'sum'>
  readonly network: Pick<
    PeerNetwork,
    'peers' | 'roundTripMs' | 'send' | 'onMessage' | 'onConnect' | 'onDisconnect' | 'drop'
  >
  readonly wal: AppendLog
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Two verified messages that contradict each other: evidence to keep. */
  readonly onEquivocation: (first: Vote | Proposal, second: Vote | Proposal) => void
  /** A broken invariant: the node must stop. */
  readonly onFatal: (error: unknown) => void
}

/** The first sign of work at a height is one of these. */
const startsClock: ReadonlySet<LoggedInput['type']> = new Set(['work-available', 'proposal', 'votes', 'aggregate'])

/** Where consensus stands, for status and explain. */
export interface EngineStatus {
  readonly height: Height
  readonly round: Round
  readonly step: string
  readonly proposer: MemberIndex
  readonly self: MemberIndex | null
}

/**
 * Runs the consensus core against the world: every input is logged before it is stepped, and a height ends when the
 * application has the decided block. Inputs run one after the other.
 */
export class ConsensusEngine {
  private readonly core: ConsensusCore
  private readonly door: MessageDoor
  private readonly watch: WorkWatch
  private readonly members: MemberWatch
  private readonly timing: StepTiming
  private readonly gossip: RoundGossip
  private readonly own: OwnMessages
  private readonly calls: ApplicationCalls
  private readonly route: OwnVoteRoute
  private readonly aggregator: VoteAggregator
  private readonly progress: HeightProgress
  private readonly log: InputLog
  private readonly timers = new Set<() => void>()
  private readonly inputs: { input: LoggedInput; block?: Block }[] = []
  private readonly metrics: {
    readonly height: Gauge
    readonly round: Gauge
    readonly rounds: Counter
    readonly interval: Histogram
    readonly equivocations: Counter
  }
  private height: Height = 0
  private set: SequencerSet
  private self: MemberIndex | null = null
  private draining = false
  private deciding = false
  private stopped = false
  /** When the height in progress had its first sign of work; null while it waits for one. */
  private clockStartedAtMs: number | null = null
  private lastHeightAtMs = 0

  private constructor(
    private readonly config: EngineConfig,
    private readonly ports: EnginePorts,
  ) {
    const first = ports.head().header.number + 1
    this.set = ports.sets.setAt(first)
    this.core = createConsensusCore({ self: null, parameters: config.protocol.at(first).parameters })
    this.progress = new HeightProgress(ports.clock)
    this.log = new InputLog(ports.wal)
    this.door = new MessageDoor({
      config,
      ports: {
        verifier: ports.verifier,
        signer: ports.signer,
        network: ports.network,
        logger: ports.logger,
        onProposal: (proposal, block) => this.feed({ type: 'proposal', proposal }, block),
        onVotes: votes => this.takeVotes(votes),
        onAggregate: aggregate => this.takeAggregate(aggregate),
        counted: this.core,
        onRelay: (vote, from) => this.aggregator.take({ vote, from }, this.route.expected()),
        onVotesSeen: votes => this.route.seen(votes),
        onStatus: (from, status) => this.gossip.help(from, status),
        onHeard: ({ member, height }) => {
          this.members.heard(member, height)
          this.progress.hearFrom(member)
        },
        currentRound: () => this.round(),
        isOpen: ports.takesPart,
        onFailure: ports.onFatal,
      },
    })
    this.timing = new StepTiming(ports.clock, ports.metrics)
    this.members = new MemberWatch(ports.network, () => this.passOverProposer())
    this.gossip = new RoundGossip({
      network: ports.network,
      clock: ports.clock,
      view: {
        height: () => this.height,
        set: () => this.set,
        round: () => this.round(),
        validRound: () => this.core.state?.validRound ?? -1,
        messagesOf: round => this.core.messagesOf(this.height, round),
        block: hash => this.log.block(hash),
        waitsSinceMs: () => (this.deciding ? null : this.clockStartedAtMs),
      },
      onStandstill: () => this.route.standsStill(),
    })
    const inThisHeight = (delayMs: number, task: () => void) => this.setTimer(delayMs, task)
    const later = (delayMs: number, task: () => void) => {
      ports.clock.schedule(delayMs, () => {
        if (!this.stopped) task()
      })
    }
    const broadcast = (message: ConsensusMessage) => this.gossip.broadcast(message)
    this.route = new OwnVoteRoute(config.aggregation, {
      network: ports.network,
      up: () => this.members.up(),
      logger: ports.logger,
      later,
      broadcast,
      gather: vote => this.aggregator.take({ vote, from: null }, this.route.expected()),
    })
    this.aggregator = new VoteAggregator({
      verifier: ports.verifier,
      domain: config.domain,
      later,
      broadcast,
      onVerified: votes => {
        for (const vote of votes) this.door.countChecked(vote)
        this.takeVotes(votes)
      },
      onForged: (vote, from) => this.door.punishForged(vote, from),
      onFailure: ports.onFatal,
    })
    this.own = new OwnMessages({
      wal: ports.wal,
      signer: ports.signer,
      application: ports.application,
      progress: this.progress,
      logger: ports.logger,
      height: () => (this.stopped ? null : this.height),
      later: inThisHeight,
      onProposal: proposal => this.sendProposal(proposal),
      onVote: vote => this.sendVote(vote),
      onFatal: ports.onFatal,
      onLateVote: vote => broadcast({ kind: 'votes', votes: [vote] }),
    })
    this.calls = new ApplicationCalls({
      application: ports.application,
      log: this.log,
      progress: this.progress,
      logger: ports.logger,
      feed: (input, block) => this.feed(input, block),
      later: inThisHeight,
      onFatal: ports.onFatal,
    })
    this.watch = new WorkWatch({
      clock: ports.clock,
      work: ports.work,
      onWork: height => this.feed({ type: 'work-available', height }),
    })
    const { metrics } = ports
    this.metrics = {
      height: metrics.gauge('morphism_consensus_height', 'Height being decided'),
      round: metrics.gauge('morphism_consensus_round', 'Round of that height'),
      rounds: metrics.counter('morphism_consensus_rounds_total', 'Rounds begun beyond round 0'),
      interval: metrics.histogram('morphism_consensus_block_interval_seconds', 'Time between decided blocks'),
      equivocations: metrics.counter(
        'morphism_consensus_equivocations_total',
        'Pairs of conflicting signed messages seen',
      ),
    }
  }

  /** Replays the log of the height in progress, then takes part. */
  static async start(args: { config: EngineConfig; ports: EnginePorts }): Promise<ConsensusEngine> {
    const engine = new ConsensusEngine(args.config, args.ports)
    const records = (await args.ports.wal.readAll()).map(decodeWalRecord).filter(isInput)
    engine.log.open(args.ports.head().header.number + 1)
    engine.startHeight(records)
    engine.gossip.start()
    return engine
  }

  status(): EngineStatus {
    const round = this.round()
    const step = this.core.state?.waiting ? 'new-height' : (this.core.state?.step ?? 'propose')
    return { height: this.height, round, step, proposer: proposerOf(this.set, this.height, round), self: this.self }
  }

  /** What this node knows of the height that it is deciding, for `explain`. */
  inProgress(): HeightInProgress {
    const { ports, height, set, self, core, progress, config } = this
    const round = this.round()
    return heightInProgress({
      nowMs: ports.clock.nowMs(),
      height,
      set,
      self,
      state: core.state,
      messages: core.messagesOf(height, round),
      heard: step => this.door.heard(round, step),
      progress,
      peers: ports.network.peers(),
      signer: ports.signer,
      hasWork: ports.work.hasWork(),
      parentTimestampMs: ports.head().context.timestampMs,
      parameters: config.protocol.at(height).parameters,
    })
  }

  private round(): Round {
    return this.core.state?.round ?? 0
  }

  /** The chain has a new head, decided here or imported: the next height begins. */
  onHead(): void {
    if (this.stopped || this.ports.head().header.number < this.height) return
    this.startHeight([])
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.gossip.stop()
    this.watch.stop()
    this.cancelTimers()
    await this.ports.wal.sync()
  }

  private startHeight(records: readonly WalRecord[]): void {
    const parent = this.ports.head()
    this.height = parent.header.number + 1
    this.set = this.ports.sets.setAt(this.height)
    this.self = memberByKey(this.set, this.ports.signer.publicKey)?.index ?? null
    this.deciding = false
    this.clockStartedAtMs = null
    this.cancelTimers()
    const held = records.filter(record => record.height === this.height)
    this.log.startHeight(this.height, held).catch(this.ports.onFatal)
    this.inputs.length = 0
    const now = this.ports.clock.nowMs()
    if (this.lastHeightAtMs > 0) this.metrics.interval.observe((now - this.lastHeightAtMs) / 1_000)
    this.lastHeightAtMs = now
    this.metrics.height.set(this.height)
    this.metrics.round.set(0)
    const { height, set, self } = this
    const { parameters } = this.config.protocol.at(height)
    const begun = this.step({ type: 'start-height', height, set, self, parameters })
    this.door.startHeight(this.height, this.set)
    this.timing.startHeight()
    this.members.startHeight({ height, set, self })
    this.route.startHeight({ height, set, self })
    this.aggregator.startHeight(height, set)
    const unanswered = this.replay(held)
    for (const output of [...begun, ...unanswered]) this.perform(output)
    this.watch.startHeight({ height, parentTimestampMs: parent.context.timestampMs, parameters })
    this.door.deliverBuffered()
  }

  /** Steps the logged inputs of this height; returns what was asked for and not answered before the crash. */
  private replay(records: readonly WalRecord[]): ConsensusOutput[] {
    let open: ConsensusOutput[] = []
    for (const record of records) {
      const { input } = record
      if (input.type === 'votes') for (const vote of input.votes) this.door.countChecked(vote)
      if (input.type === 'aggregate') this.door.countCheckedAggregate(input.aggregate)
      open = open.filter(output => !isAnswered(output, input, this.self))
      open.push(...this.step(input))
    }
    if (records.length > 0) {
      this.ports.logger.info('replayed the log of the height in progress', {
        height: this.height,
        inputs: records.length,
        open: open.length,
      })
    }
    return open
  }

  private takeVotes(votes: readonly Verified<Vote>[]): void {
    for (const vote of votes) this.calls.passExtension(this.set, vote)
    this.feed({ type: 'votes', votes })
  }

  private takeAggregate(aggregate: Verified<VoteAggregate>): void {
    for (const vote of aggregate.votes) this.calls.passExtension(this.set, vote)
    this.feed({ type: 'aggregate', aggregate })
  }

  /** Whether the chain has a block of this height already: who hears of it before `onHead` may have woken the engine. */
  private isOver(): boolean {
    return this.ports.head().header.number >= this.height
  }

  /** Queues an input; inputs that an input causes run after it. */
  private feed(input: LoggedInput, block?: Block): void {
    if (this.stopped || this.deciding || this.isOver() || !this.ports.takesPart()) return
    this.inputs.push(block ? { input, block } : { input })
    if (this.draining) return
    this.draining = true
    try {
      for (let next = this.inputs.shift(); next && !this.deciding; next = this.inputs.shift()) this.process(next)
    } catch (error) {
      this.ports.onFatal(error)
    } finally {
      this.draining = false
    }
  }

  private process({ input, block }: { input: LoggedInput; block?: Block }): void {
    if ('height' in input && input.height !== this.height) return
    this.log.append(input, block)
    if (startsClock.has(input.type)) this.clockStartedAtMs ??= this.ports.clock.nowMs()
    const outputs = this.step(input)
    this.timing.look(this.core.state)
    for (const output of outputs) this.perform(output)
  }

  private step(input: ConsensusInput): readonly ConsensusOutput[] {
    const outputs = this.core.step(input)
    this.progress.stepped(input, outputs, this.core.state)
    return outputs
  }

  private perform(output: ConsensusOutput): void {
    switch (output.type) {
      case 'prepare-proposal':
        return void this.calls.prepare({ height: this.height, round: output.round })
      case 'sign-proposal':
        if (this.self !== null && this.log.block(output.content.blockHash))
          void this.own.signProposal(output.content, this.self)
        return
      case 'sign-vote':
        if (this.self !== null) void this.own.signVote(output, this.self)
        return
      case 'validate':
        return void this.calls.validate(output)
      case 'schedule-timeout':
        return this.schedule(output)
      case 'round-started':
        if (output.round > 0) {
          this.metrics.rounds.inc()
          this.ports.logger.info('round started', { height: output.height, round: output.round })
        }
        return this.metrics.round.set(output.round)
      case 'equivocation':
        this.metrics.equivocations.inc()
        return this.ports.onEquivocation(output.first, output.second)
      case 'decide':
        return this.decide(output)
    }
  }

  private sendProposal(proposal: Verified<Proposal>): void {
    const block = this.log.block(proposal.blockHash)
    if (!block) return
    this.log.signs()
    this.feed({ type: 'proposal', proposal })
    this.gossip.broadcast({ kind: 'proposal', proposal, block })
  }

  private sendVote(vote: Verified<Vote>): void {
    this.calls.passExtension(this.set, vote)
    this.door.countChecked(vote)
    this.log.signs()
    this.feed({ type: 'votes', votes: [vote] })
    this.route.send(vote)
  }

  private schedule({ height, round, step, delayMs }: Extract<ConsensusOutput, { type: 'schedule-timeout' }>): void {
    const waitMs = step === 'propose' && this.waitsInVain() ? 0 : delayMs
    this.setTimer(waitMs, () => this.feed({ type: 'timeout', height, round, step }))
  }

  /** Runs the task later, unless the height ends before. */
  private setTimer(delayMs: number, task: () => void): void {
    const cancel = this.ports.clock.schedule(delayMs, () => {
      this.timers.delete(cancel)
      task()
    })
    this.timers.add(cancel)
  }

  /** The proposer went down: its timeout comes now. */
  private passOverProposer(): void {
    if (!this.waitsInVain()) return
    this.feed({ type: 'timeout', height: this.height, round: this.round(), step: 'propose' })
  }

  /** Whether the proposal that is waited for will not come. It decides how long a timeout is and no more: safety never hangs on it. */
  private waitsInVain(): boolean {
    const { state } = this.core
    if (state?.step !== 'propose' || state.waiting || state.decided) return false
    const hasProposal = this.core.messagesOf(state.height, state.round).proposals.length > 0
    return !hasProposal && this.members.isSkippable(state.proposer)
  }

  private decide(output: Extract<ConsensusOutput, { type: 'decide' }>): void {
    this.deciding = true
    if (this.clockStartedAtMs !== null) this.gossip.decided(this.ports.clock.nowMs() - this.clockStartedAtMs)
    void this.calls.finalize(output)
  }

  private cancelTimers(): void {
    for (const cancel of this.timers) cancel()
    this.timers.clear()
  }
}
