import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import { invariant } from '../../src/base/primitives/invariant.js'
import { defaultParameters } from '../../src/base/protocol/protocol-parameters.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { precommit, prevote, type Vote } from '../../src/base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../src/base/protocol/vote-aggregate.js'
import { type ConsensusCore, createConsensusCore } from '../../src/rules/consensus/core.js'
import type { ConsensusInput, ConsensusOutput } from '../../src/rules/consensus/core-messages.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'
import { isAnswered } from '../../src/services/sequencer/wal/answered.js'
import type { LoggedInput } from '../../src/services/sequencer/wal/wal-record.js'
import { Algorithm1, type ModelAction } from './algorithm-1.js'
import { aggregateBy, blockOf, isValidBlock, proposalBy, setOf, voteBy } from './consensus-fixture.js'
import type { SeededRandom } from './seeded-random.js'

type OutputOf<Type extends ConsensusOutput['type']> = Extract<ConsensusOutput, { type: Type }>
type ModelCall = (model: Algorithm1) => ModelAction[]

/** An input of the log: what the core put out, and what the model was told for it. */
interface Stepped {
  readonly input: LoggedInput
  readonly outputs: readonly ConsensusOutput[]
  readonly modelCalls: ModelCall[]
}

const powers = [
  [1n, 1n, 1n, 1n],
  [1n, 1n, 1n, 1n, 1n, 1n, 1n],
  [5n, 3n, 2n, 2n, 1n],
]

/** `expect(a).toEqual(b)`, ten times as fast where they are: most of a run is comparing. */
function expectEqual(a: unknown, b: unknown): void {
  if (!isDeepStrictEqual(a, b)) expect(a).toEqual(b)
}

/**
 * One core and one model of Algorithm 1 under the same random inputs: proposals and votes that are late, doubled and, from
 * less than a third of the power, contradictory; timers; crashes that lose the part of the log that was not synced. After every
 * input both must have done the same and be in the same state, but for what spec/consensus.md lists under "Beside the paper".
 */
export class CoreAndModel {
  /** What happened in this run, so that a test can see that it covered everything. */
  readonly seen = new Set<string>()
  private readonly height: number
  private readonly set: SequencerSet
  private readonly self: number
  private readonly byzantine: ReadonlySet<number>
  private core: ConsensusCore
  private model: Algorithm1
  private log: Stepped[] = []
  /** Blocks proposed, by round. */
  private readonly proposed = new Map<number, BlockHash[]>()
  private readonly firstVotes = new Map<string, BlockHash>()
  private readonly signed = new Set<string>()
  private asked: BlockHash[] = []
  private answers: LoggedInput[] = []

  constructor(private readonly random: SeededRandom) {
    this.height = random.below(1_000)
    this.set = setOf(random.pick(powers))
    this.self = random.below(this.set.members.length)
    this.byzantine = this.someByzantine()
    this.core = this.freshCore()
    this.model = new Algorithm1(this.height, this.set, this.self)
    if (random.chance(0.5)) this.feed({ type: 'work-available', height: this.height })
  }

  /** Feeds this many inputs, unless a decision comes first. @throws when core and model part */
  run(inputs: number): void {
    for (let i = 0; i < inputs && !this.core.state!.decided; i++) {
      if (this.random.chance(0.02)) this.crash()
      this.feed(this.nextInput())
    }
  }

  private freshCore(): ConsensusCore {
    const core = createConsensusCore({ self: this.self, parameters: defaultParameters })
    core.step({ type: 'start-height', height: this.height, set: this.set })
    return core
  }

  /** Members other than this node with less than a third of the power. */
  private someByzantine(): Set<number> {
    const chosen = new Set<number>()
    let power = 0n
    for (let tries = 0; tries < 4; tries++) {
      const member = this.random.below(this.set.members.length)
      if (member === this.self || chosen.has(member)) continue
      power += this.set.members[member]!.power
      if (power * 3n >= this.set.totalPower) break
      chosen.add(member)
    }
    return chosen
  }

  // --- the comparison ---

  private feed(input: LoggedInput): void {
    const wasWaiting = this.core.state!.waiting
    const outputs = this.core.step(input)
    const stepped: Stepped = { input, outputs, modelCalls: [] }
    this.log.push(stepped)
    const tell = (call: ModelCall): ModelAction[] => {
      stepped.modelCalls.push(call)
      return call(this.model)
    }
    const actual = tell(this.modelCallOf(input))
    if (wasWaiting && !this.core.state!.waiting) actual.push(...this.startModel(tell))
    this.endEarly(actual, tell)
    this.decideByOtherRound(outputs, tell, actual)
    const expected = outputs.map(output => this.actionOf(output)).filter(action => action !== null)
    // What else an input brings that decides is of no use any more: the core enters a later round before it counts its votes.
    const isLast = (action: ModelAction) => action.startsWith('decide')
    if (expected.some(isLast)) expectEqual(expected.filter(isLast), actual.filter(isLast))
    else expectEqual(expected, actual)
    this.compareState()
    for (const output of outputs) this.note(output)
  }

  /** The input as the model takes it. What the core drops for lack of room is late for the model: it comes again or never. */
  private modelCallOf(input: LoggedInput): ModelCall {
    switch (input.type) {
      case 'proposal': {
        const { proposal } = input
        const { proposals } = this.core.messagesOf(this.height, proposal.round)
        const isKept = this.isAhead(proposal.round) || proposals.includes(proposal)
        if (!isKept) {
          this.seen.add('proposal dropped')
          expect(proposals, 'the first proposal of a round is kept').not.toEqual([])
        }
        return model => (isKept ? model.receiveProposal(proposal) : [])
      }
      case 'votes': {
        const kept = input.votes.filter(vote => this.isCounted(vote))
        for (const { blockHash } of input.votes.filter(vote => !kept.includes(vote))) {
          this.seen.add('vote dropped')
          expect(this.isKnown(blockHash), 'a vote for nil or a known block counts').toBe(false)
        }
        return model => model.receiveVotes(kept)
      }
      case 'aggregate': {
        const { votes } = input.aggregate
        const isKept = this.aggregatesOf(votes[0]!).includes(input.aggregate)
        this.seen.add(isKept ? 'aggregate' : 'aggregate dropped')
        return model => (isKept ? model.receiveVotes(votes) : [])
      }
      case 'validated':
        return model => model.validated(input.blockHash, input.valid, input.acceptable)
      case 'prepared':
        return model => model.prepared(input.round, input.blockHash)
      case 'timeout':
        return model => model.timeout(input.step, input.round)
      default:
        return () => []
    }
  }

  /** Nil, or a block whose proposal is kept: its validation was asked for. */
  private isKnown(blockHash: BlockHash): boolean {
    const isAsked = (output: ConsensusOutput) => output.type === 'validate' && output.blockHash === blockHash
    return blockHash === zeroHash || this.log.slice(0, -1).some(({ outputs }) => outputs.some(isAsked))
  }

  private isAhead(round: number): boolean {
    return round > this.core.state!.round
  }

  private isCounted({ round, step, member, blockHash }: Vote): boolean {
    if (this.isAhead(round)) return true
    const { prevotes, precommits } = this.core.messagesOf(this.height, round)
    const counted = step === prevote ? prevotes : precommits
    const aggregated = this.aggregatesOf({ round, step }).flatMap(({ votes }) => votes)
    return [...counted, ...aggregated].some(vote => vote.member === member && vote.blockHash === blockHash)
  }

  /** The aggregates of a step that the core counted. */
  private aggregatesOf({ round, step }: Pick<Vote, 'round' | 'step'>): VoteAggregate[] {
    return this.core.messagesOf(this.height, round).aggregates.filter(aggregate => contentOf(aggregate).step === step)
  }

  /** The lazy clock of round 0: the paper's start is put off until there is work or a message. */
  private startModel(tell: (call: ModelCall) => ModelAction[]): ModelAction[] {
    const actions = tell(model => model.start())
    if (this.core.state!.round === 0) return actions
    // Led straight to a later round, the core never entered round 0's propose step.
    this.seen.add('round 0 passed over')
    return actions.filter(action => action !== 'getValue 0' && action !== 'timer propose 0')
  }

  /** Early ends: where the core is ahead, the model's timer fires now, and only where waiting is in vain; nowhere does the core wait in vain, but at the end of late rounds. */
  private endEarly(actions: ModelAction[], tell: (call: ModelCall) => ModelAction[]): void {
    while (this.model.isRunning && this.model.isHopeless() && !this.isContradictionSeen()) {
      if (this.model.step === 'precommit' && this.model.round >= this.model.set.members.length) return
      this.seen.add(`early ${this.model.step}`)
      actions.push(...tell(model => model.timeout(model.step, model.round)))
    }
  }

  /** Whether somebody said two things in one of the rounds that were reached; told from the inputs alone. */
  private isContradictionSeen(): boolean {
    const said = new Map<string, string>()
    const contradicts = (slot: string, what: string) => {
      const first = said.get(slot)
      said.set(slot, first ?? what)
      return first !== undefined && first !== what
    }
    return this.log.some(({ input }) => {
      if (input.type === 'proposal') {
        const { round, blockHash, validRound } = input.proposal
        return !this.isAhead(round) && contradicts(`${round}`, `${blockHash} ${validRound}`)
      }
      return this.votesOf(input).some(
        ({ round, step, member, blockHash }) =>
          !this.isAhead(round) && contradicts(`${round} ${step} ${member}`, blockHash),
      )
    })
  }

  /** Those of an aggregate that was dropped were not seen. */
  private votesOf(input: LoggedInput): readonly Vote[] {
    if (input.type === 'votes') return input.votes
    if (input.type !== 'aggregate') return []
    const { votes } = input.aggregate
    return this.aggregatesOf(votes[0]!).includes(input.aggregate) ? votes : []
  }

  /** L49 by a proposal of another round: the paper decides as soon as one of this round comes. */
  private decideByOtherRound(
    outputs: readonly ConsensusOutput[],
    tell: (call: ModelCall) => ModelAction[],
    actions: ModelAction[],
  ): void {
    const decision = outputs.find((output): output is OutputOf<'decide'> => output.type === 'decide')
    if (!decision || this.model.decision !== null) return
    const { round, blockHash, height } = decision
    const proposal = proposalBy(proposerOf(this.set, height, round), { height, round, blockHash, validRound: -1 })
    this.seen.add('decided by the proposal of another round')
    actions.push(...tell(model => model.receiveProposal(proposal)))
  }

  /** The core's output as the model words it; null for what the model does not know. */
  private actionOf(output: ConsensusOutput): ModelAction | null {
    switch (output.type) {
      case 'prepare-proposal':
        return `getValue ${output.round}`
      case 'sign-proposal':
        return `propose ${output.content.round} ${output.content.blockHash} ${output.content.validRound}`
      case 'sign-vote':
        return `${output.content.step === prevote ? 'prevote' : 'precommit'} ${output.content.round} ${output.content.blockHash}`
      case 'decide':
        return `decide ${output.blockHash}`
      case 'schedule-timeout': {
        // L21 gives the proposer no timer; the core does, for its application may fail to answer.
        const isOwnTurn = proposerOf(this.set, this.height, output.round) === this.self
        return output.step === 'propose' && isOwnTurn ? null : `timer ${output.step} ${output.round}`
      }
      default:
        return null
    }
  }

  private compareState(): void {
    const { decided, round, step, lockedRound, lockedValue, validRound, validValue } = this.core.state!
    const { model } = this
    expectEqual(decided, model.decision !== null)
    if (decided) return
    expectEqual(
      { round, step, lockedRound, lockedValue, validRound, validValue },
      {
        round: model.round,
        step: model.step,
        lockedRound: model.lockedRound,
        lockedValue: model.lockedValue,
        validRound: model.validRound,
        validValue: model.validValue,
      },
    )
  }

  /** The core asks for something; the answers come back later, in any order. */
  private note(output: ConsensusOutput): void {
    this.seen.add(output.type)
    if (output.type === 'sign-vote' || output.type === 'sign-proposal') {
      const slot = `${output.content.round} ${output.type === 'sign-vote' ? output.content.step : 0}`
      invariant(!this.signed.has(slot), 'asked to sign twice', { slot })
      this.signed.add(slot)
    }
    this.askOutside(output)
  }

  private askOutside(output: ConsensusOutput): void {
    const { height, self } = this
    if (output.type === 'validate') {
      this.asked.push(output.blockHash)
    } else if (output.type === 'prepare-proposal') {
      const blockHash = blockOf({ maker: self, round: output.round, variant: 0, valid: true })
      this.answers.push({ type: 'prepared', height, round: output.round, blockHash })
    } else if (output.type === 'sign-vote') {
      this.answers.push({ type: 'votes', votes: [voteBy(self, output.content)] })
    } else if (output.type === 'sign-proposal') {
      this.proposed.set(output.content.round, [output.content.blockHash])
      this.answers.push({ type: 'proposal', proposal: proposalBy(self, output.content) })
    }
  }

  // --- crashes ---

  /** Loses some of the inputs since the last signature, before which the log is synced; core and model replay the rest. */
  private crash(): void {
    const isSigning = ({ outputs }: Stepped) =>
      outputs.some(({ type }) => type === 'sign-vote' || type === 'sign-proposal')
    const synced = this.log.findLastIndex(isSigning) + 1
    const kept = this.log.slice(0, synced + this.random.below(this.log.length - synced + 1))
    this.seen.add(kept.length < this.log.length ? 'crash with loss' : 'crash')
    this.core = this.freshCore()
    this.model = new Algorithm1(this.height, this.set, this.self)
    let open: ConsensusOutput[] = []
    for (const { input, outputs, modelCalls } of kept) {
      expectEqual(this.core.step(input), outputs)
      for (const call of modelCalls) call(this.model)
      open = [...open.filter(output => !isAnswered(output, input, this.self)), ...outputs]
    }
    this.log = kept
    this.asked = []
    this.answers = []
    for (const output of open) this.askOutside(output)
    this.compareState()
  }

  // --- the schedule ---

  private nextInput(): LoggedInput {
    const { random, height } = this
    const dice = random.fraction()
    if (dice < 0.2 && this.answers.length > 0) return this.answers.splice(random.below(this.answers.length), 1)[0]!
    if (dice < 0.3 && this.asked.length > 0) {
      const blockHash = this.asked.splice(random.below(this.asked.length), 1)[0]!
      return { type: 'validated', height, blockHash, valid: isValidBlock(blockHash), acceptable: random.chance(0.8) }
    }
    const { round, step, waiting } = this.core.state!
    if (dice < 0.36 && !waiting) {
      const late = random.chance(0.2) ? random.below(round + 1) : round
      return { type: 'timeout', height, round: late, step: random.chance(0.7) ? step : 'precommit' }
    }
    if (dice < 0.5) return this.someProposal() ?? this.someVotes()
    return this.someVotes()
  }

  /** A proposal near the core's round by that round's proposer, who makes a second one only when it is Byzantine. */
  private someProposal(): Extract<ConsensusInput, { type: 'proposal' }> | null {
    const { random, height } = this
    const round = this.someRound()
    const proposer = proposerOf(this.set, height, round)
    if (proposer === this.self) return null
    const before = this.proposed.get(round) ?? []
    const mayDouble = this.byzantine.has(proposer) && !this.isAhead(round)
    if (before.length > 0 && !mayDouble) return null
    const earlier = random.below(round + 1) - 1
    const repeated = this.proposed.get(earlier)?.[0]
    const again = repeated !== undefined && random.chance(0.7)
    const variant = before.length > 0 ? random.below(2) : 0
    const blockHash = again ? repeated : blockOf({ maker: proposer, round, variant, valid: random.chance(0.9) })
    this.proposed.set(round, [...before, blockHash])
    const validRound = again && random.chance(0.9) ? earlier : -1
    return { type: 'proposal', proposal: proposalBy(proposer, { height, round, blockHash, validRound }) }
  }

  /** A few votes that tend to agree, of one round and step. */
  private someVotes(): Extract<ConsensusInput, { type: 'votes' | 'aggregate' }> {
    const { random, height } = this
    const round = this.someRound()
    const step = random.chance(0.6) ? prevote : precommit
    const blocks = this.proposed.get(round) ?? []
    const favourite = blocks.length > 0 ? random.pick(blocks) : zeroHash
    const votes = this.set.members
      .filter(({ index }) => index !== this.self && random.chance(0.5))
      .map(({ index: member }) => {
        const stray = random.chance(0.15) ? zeroHash : favourite
        // No invalid block gets a quorum of precommits: that would stop the node.
        const wanted = step === precommit && !isValidBlock(stray) ? zeroHash : stray
        const slot = `${member} ${round} ${step}`
        const first = this.firstVotes.get(slot) ?? wanted
        this.firstVotes.set(slot, first)
        const mayDouble = this.byzantine.has(member) && !this.isAhead(round)
        return voteBy(member, { height, round, step, blockHash: mayDouble ? wanted : first })
      })
    const agreeing = votes.filter(({ blockHash }) => blockHash === votes[0]!.blockHash)
    const isAggregate = agreeing.length > 1 && !this.isAhead(round) && random.chance(0.3)
    if (!isAggregate) return { type: 'votes', votes }
    return { type: 'aggregate', aggregate: aggregateBy(agreeing) }
  }

  /** Up to two rounds ahead, so that the core has to forget nothing. */
  private someRound(): number {
    const { round } = this.core.state!
    if (this.random.chance(0.6)) return round
    return this.random.chance(0.5) ? round + 1 + this.random.below(2) : this.random.below(round + 1)
  }
}
