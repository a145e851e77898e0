import type { Address } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import type { Block, CertifiedBlock } from '../../base/protocol/block.js'
import { type BlockContext, emptyInboxRoot } from '../../base/protocol/block-context.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { ExecutionClient, SkippedTransaction } from '../../io/execution/execution-client.js'
import type { L1Block } from '../../io/l1/l1-client.js'
import type { Histogram, Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { nextBaseFee } from '../../rules/blocks/base-fee.js'
import { fixedAttributes, messagesConsumedAfter, type ParentBlock } from '../../rules/blocks/block-attributes.js'
import { transactionRoom } from '../../rules/blocks/block-room.js'
import {
  checkContext,
  checkFixedAttributes,
  checkOrigin,
  checkTimely,
  type OriginView,
  type Refused,
} from '../../rules/blocks/proposal-rules.js'
import { proposerOf } from '../../rules/consensus/proposer-rotation.js'
import { timeoutMs } from '../../rules/consensus/timeouts.js'
import type { Protocol, ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import type { Application, ProposalRefused, WorkSource } from './application.js'
import { nextView } from './next-view.js'

/** The mempool as block production uses it. */
export interface TransactionSource {
  select(limits: { baseFee: bigint; maxGas: number; maxBytes: number }): {
    transactions: Uint8Array[]
    senders: Address[]
  }
  discard(skipped: readonly SkippedTransaction[]): void
  sendersOf(transactions: readonly Uint8Array[]): (Address | null)[]
  hasExecutable(): boolean
  onExecutable(listener: () => void): void
}

/** This node's own view of L1. */
export interface L1View {
  eligibleOrigin(): L1Block | null
  canonical(number: number): L1Block | null
  messages(range: { from: number; upToL1Block: number; limit: number }): L1Message[]
  messageCountAt(l1BlockNumber: number): number
  /** The returned function ends it. */
  onChange(listener: () => void): () => void
  /** Polls L1 now; may take as long as its endpoints do. */
  refresh(): Promise<void>
}

/** Where batch attestations come from and go to. */
export interface AttestationDesk {
  extension(): Uint8Array
  onExtension(args: { set: SequencerSet; member: MemberIndex; bytes: Uint8Array }): void
}

export interface ChainApplicationPorts {
  readonly chain: { head(): ParentBlock; commit(certified: CertifiedBlock): Promise<void> }
  readonly execution: Pick<ExecutionClient, 'buildBlock' | 'newPayload'>
  readonly mempool: TransactionSource
  readonly l1: L1View
  readonly attestations: AttestationDesk
  readonly sets: { setAt(height: Height): SequencerSet }
  readonly clock: Clock
  readonly metrics: Metrics
}

/** The application behind consensus: builds, judges and commits L2 blocks by the rules of `rules/blocks`. */
export class ChainApplication implements Application, WorkSource {
  private readonly timing: { readonly build: Histogram; readonly validate: Histogram; readonly commit: Histogram }

  constructor(
    private readonly protocol: Pick<ProtocolSchedule, 'at'>,
    private readonly ports: ChainApplicationPorts,
  ) {
    const histogram = (name: string, help: string) =>
      ports.metrics.histogram(`morphism_sequencer_${name}_seconds`, help)
    this.timing = {
      build: histogram('build', 'Time to build a proposal'),
      validate: histogram('validate', 'Time to judge a proposal'),
      commit: histogram('commit', 'Time to make a decided block the head'),
    }
  }

  hasWork(): boolean {
    if (this.ports.mempool.hasExecutable()) return true
    const origin = this.ports.l1.eligibleOrigin()
    return (
      origin !== null && this.ports.l1.messageCountAt(origin.number) > this.ports.chain.head().context.messagesConsumed
    )
  }

  onWork(listener: () => void): void {
    this.ports.mempool.onExecutable(listener)
    this.ports.l1.onChange(listener)
  }

  prepareProposal({ height, round }: { height: Height; round: Round }): Promise<Block> {
    return this.timed('build', async () => {
      const { ports } = this
      const parent = ports.chain.head()
      const set = ports.sets.setAt(height)
      const protocol = this.protocol.at(height)
      const { parameters } = protocol
      const context = this.nextContext({ parent, set, protocol, height, round })
      const { attributes } = fixedAttributes({
        parent,
        context,
        messages: this.consumed(parent, context),
        set,
        gasLimit: parameters.gasLimit,
      })
      const { transactions, senders } = ports.mempool.select({
        baseFee: nextBaseFee(parent.header),
        maxGas: attributes.gasLimit,
        maxBytes: transactionRoom({ round, validRound: -1, parameters }),
      })
      const built = await ports.execution.buildBlock({
        ...attributes,
        transactions,
        senders,
        timeLimitMs: buildLimitMs(parameters, round),
        onInvalidTransaction: 'skip',
      })
      if (built.skipped.length > 0) ports.mempool.discard(built.skipped)
      return built.block
    })
  }

  processProposal({ proposal, block }: { proposal: Proposal; block: Block }): Promise<Result<void, ProposalRefused>> {
    return this.timed('validate', async () => {
      const { ports } = this
      const parent = ports.chain.head()
      const set = ports.sets.setAt(proposal.height)
      const { round, validRound } = proposal
      const protocol = this.protocol.at(proposal.height)
      const { parameters } = protocol
      const checked = checkContext({ block, parent, set, protocol })
      if (!checked.ok) return refused(checked.error)
      const timely = checkTimely({ block, round, parameters, nowMs: ports.clock.nowMs() })
      // Not executed when it would not be voted for; one that claims a polka may be, and its verdict then says what it is as new.
      if (!timely.ok && validRound === -1) return refused(timely.error)
      const limitMs = l1WaitMs(parameters, round)
      const verdict = await this.judgeWithin({ limitMs, block, parent, set, parameters })
      if (!verdict.ok) return verdict
      const senders = ports.mempool.sendersOf(block.transactions)
      const status = await ports.execution.newPayload(block, senders, timeoutMs(parameters, 'propose', round))
      if (status.status === 'VALID') return timely.ok ? timely : refused(timely.error)
      if (status.status === 'INVALID')
        return refuse<ProposalRefused>({ reason: 'invalid-execution', detail: status.reason, blame: 'block' })
      // Slow here: neither is said to be wrong. A quorum that was faster may decide it, and then it is executed to its end.
      if (status.status === 'TIMED_OUT')
        return refuse<ProposalRefused>({
          reason: 'execution-too-slow',
          detail: 'its round was over',
          blame: 'own-view',
        })
      // The head moved on meanwhile: that says nothing of the block.
      return refuse<ProposalRefused>({ reason: 'wrong-parent', detail: 'the head moved on', blame: 'own-view' })
    })
  }

  extendVote(): Uint8Array {
    return this.ports.attestations.extension()
  }

  verifyVoteExtension({
    set,
    member,
    extension,
  }: {
    set: SequencerSet
    member: MemberIndex
    extension: Uint8Array
  }): void {
    this.ports.attestations.onExtension({ set, member, bytes: extension })
  }

  finalizeBlock(certified: CertifiedBlock): Promise<void> {
    return this.timed('commit', () => this.ports.chain.commit(certified))
  }

  private nextContext({
    parent,
    set,
    protocol: { version, parameters },
    height,
    round,
  }: {
    parent: ParentBlock
    set: SequencerSet
    protocol: Protocol
    height: Height
    round: Round
  }): BlockContext {
    const { ports } = this
    const eligible = ports.l1.eligibleOrigin()
    const advances = eligible !== null && eligible.number > parent.context.l1OriginNumber
    const l1OriginNumber = advances ? eligible.number : parent.context.l1OriginNumber
    return {
      version,
      setId: set.setId,
      proposerIndex: proposerOf(set, height, round),
      timestampMs: Math.max(ports.clock.nowMs(), parent.context.timestampMs + parameters.minBlockIntervalMs),
      l1OriginNumber,
      l1OriginHash: advances ? eligible.hash : parent.context.l1OriginHash,
      messagesConsumed: messagesConsumedAfter({
        parentConsumed: parent.context.messagesConsumed,
        countAtOrigin: ports.l1.messageCountAt(l1OriginNumber),
        maxMessagesPerBlock: parameters.maxMessagesPerBlock,
      }),
      inboxRoot: emptyInboxRoot,
    }
  }

  private consumed(parent: ParentBlock, context: BlockContext): L1Message[] {
    const from = parent.context.messagesConsumed
    const limit = context.messagesConsumed - from
    if (limit <= 0) return []
    const messages = this.ports.l1.messages({ from, upToL1Block: context.l1OriginNumber, limit })
    invariant(messages.length === limit, 'the L1 view counts messages that it does not hold', {
      from,
      limit,
      held: messages.length,
    })
    return messages
  }

  /** Judges what rests on L1, giving this node's own view a bounded time to come to be the proposer's. */
  private async judgeWithin({
    limitMs,
    ...judged
  }: {
    limitMs: number
    block: Block
    parent: ParentBlock
    set: SequencerSet
    parameters: ProtocolParameters
  }): Promise<Result<void, ProposalRefused>> {
    const { clock, l1 } = this.ports
    const until = clock.nowMs() + limitMs
    for (;;) {
      const verdict = this.judgeNow(judged)
      if (verdict.ok || !mayPass(verdict.error, judged)) return verdict
      const leftMs = until - clock.nowMs()
      if (leftMs <= 0) return verdict
      await nextView({ l1, clock, limitMs: leftMs })
    }
  }

  /** One state of the view gives the verdict: at any await it may go back. */
  private judgeNow({
    block,
    parent,
    set,
    parameters,
  }: {
    block: Block
    parent: ParentBlock
    set: SequencerSet
    parameters: ProtocolParameters
  }): Result<void, ProposalRefused> {
    const origin = checkOrigin({ block, parent, view: this.originView(block, parent), parameters })
    if (!origin.ok) return refused(origin.error)
    const messages = this.consumed(parent, block.context)
    const fixed = checkFixedAttributes({ block, parent, set, messages, parameters })
    return fixed.ok ? ok(undefined) : refused(fixed.error, messages.length)
  }

  private originView(block: Block, parent: ParentBlock): OriginView {
    const { l1 } = this.ports
    const number = block.context.l1OriginNumber
    return {
      eligible: l1.eligibleOrigin(),
      origin: l1.canonical(number),
      parentOriginTimestamp: l1.canonical(parent.context.l1OriginNumber)?.timestamp ?? null,
      messageCountAtOrigin: l1.messageCountAt(number),
    }
  }

  private async timed<Value>(what: keyof typeof this.timing, task: () => Promise<Value>): Promise<Value> {
    const began = this.ports.clock.nowMs()
    try {
      return await task()
    } finally {
      this.timing[what].observe((this.ports.clock.nowMs() - began) / 1_000)
    }
  }
}

/** Half of what the round waits for a proposal: the others have as long to execute what this node could. */
function buildLimitMs(parameters: ProtocolParameters, round: Round): number {
  return Math.floor(timeoutMs(parameters, 'propose', round) / 2)
}

/** Half of what the round waits for a proposal: time is left to execute it. It grows with the round, as the endpoints' lag may. */
function l1WaitMs(parameters: ProtocolParameters, round: Round): number {
  return Math.floor(timeoutMs(parameters, 'propose', round) / 2)
}

/** Whether the refusal may be gone once this node's view of L1 has moved on: it lags, or is on a fork that L1 left. */
function mayPass(
  { reason, blame }: ProposalRefused,
  { block, parent }: { block: Block; parent: ParentBlock },
): boolean {
  if (blame === 'block' || reason === 'l1-origin-must-advance') return false
  return reason !== 'l1-origin-not-canonical' || block.context.l1OriginNumber > parent.context.l1OriginNumber
}

/** Refusals that rest on this node's clock or L1 endpoint rather than on the block alone. */
const ownView: ReadonlySet<Refused['reason']> = new Set([
  'timestamp-not-timely',
  'l1-origin-unknown',
  'l1-origin-not-canonical',
  'l1-origin-must-advance',
  'wrong-message-count',
])

/** What a block credits follows from the block alone only when it consumes no messages: those are of this node's view of L1. */
function refused(error: Refused, messages = 0): Result<void, ProposalRefused> {
  // Whatever the version, a quorum may decide it: then it is this node that has another (see `versionHalt`).
  if (error.reason === 'unknown-version' || error.reason === 'wrong-version')
    return refuse({ ...error, blame: 'own-version' })
  const isOwnView = ownView.has(error.reason) || (error.reason === 'withdrawals-mismatch' && messages > 0)
  return refuse({ ...error, blame: isOwnView ? 'own-view' : 'block' })
}
