import { type BlockHash, zeroHash } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { precommit, prevote, type Vote, type VoteStep } from '../../base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import type { ConsensusInput, ConsensusOutput, TimeoutStep } from './core-messages.js'
import { type ConsensusMessage, FutureMessages, isVote } from './future-messages.js'
import { makeCertificate } from './make-certificate.js'
import { proposerOf } from './proposer-rotation.js'
import { RoundState } from './round-state.js'
import { type TimeoutParameters, timeoutMs } from './timeouts.js'
import type { Verified } from './verified.js'
import type { VoteKeeper } from './vote-keeper.js'

type InputOf<Type extends ConsensusInput['type']> = Extract<ConsensusInput, { type: Type }>

/** What the application said of a block; pending while it was only asked. */
type Verdict = 'pending' | { readonly valid: boolean; readonly acceptable: boolean }

/**
 * One height of Algorithm 1 (arXiv 1807.04938); Lnn in the comments are its lines. An input changes what is known, then the
 * "upon" rules run until none fires. Every rule is O(1) in the number of votes.
 */
export class RoundMachine {
  round: Round = 0
  step: TimeoutStep = 'propose'
  /** Round 0 has neither work nor a message yet: no timer runs. */
  waiting = true
  lockedValue: BlockHash | null = null
  lockedRound: Round | -1 = -1
  validValue: BlockHash | null = null
  validRound: Round | -1 = -1
  decided = false

  readonly height: Height
  readonly set: SequencerSet
  readonly self: MemberIndex | null
  private readonly parameters: TimeoutParameters
  private readonly rounds = new Map<Round, RoundState>()
  private readonly future: FutureMessages
  private readonly verdicts = new Map<BlockHash, Verdict>()
  private readonly precommitted: { readonly round: Round; readonly blockHash: BlockHash }[] = []
  private contradictionSeen = false
  private outputs: ConsensusOutput[] = []

  /** The rules in the order in which they are tried; each says whether it fired. */
  private readonly rules: readonly (() => boolean)[] = [
    () => this.decide(),
    () => this.skipRound(),
    () => this.prevoteProposal(),
    () => this.followPolka(),
    () => this.precommitNilOnNilPolka(),
    () => this.schedulePrevoteTimeout(),
    () => this.schedulePrecommitTimeout(),
    () => this.endStepEarly(),
  ]

  constructor({
    height,
    set,
    self,
    parameters,
  }: {
    height: Height
    set: SequencerSet
    self: MemberIndex | null
    parameters: TimeoutParameters
  }) {
    this.height = height
    this.set = set
    this.self = self
    this.parameters = parameters
    this.future = new FutureMessages(set)
  }

  /** Enters round 0, where nothing runs until there is work or a message. */
  begin(): ConsensusOutput[] {
    return [{ type: 'round-started', height: this.height, round: 0 }]
  }

  /** Takes one input of this height. @throws InvariantError when a quorum precommitted an invalid block */
  handle(input: Exclude<ConsensusInput, { type: 'start-height' }>): ConsensusOutput[] {
    if (this.decided) return []
    this.outputs = []
    this.apply(input)
    while (!this.decided && this.rules.some(rule => rule())) {}
    return this.outputs
  }

  get proposer(): MemberIndex {
    return proposerOf(this.set, this.height, this.round)
  }

  /** What is known of a round that was reached. */
  known(round: Round): RoundState | undefined {
    return this.rounds.get(round)
  }

  private get current(): RoundState {
    return this.stateOf(this.round)
  }

  private stateOf(round: Round): RoundState {
    let state = this.rounds.get(round)
    if (!state) {
      state = new RoundState(this.set, blockHash => this.verdicts.has(blockHash))
      this.rounds.set(round, state)
    }
    return state
  }

  // --- inputs ---

  private apply(input: Exclude<ConsensusInput, { type: 'start-height' }>): void {
    switch (input.type) {
      case 'work-available':
        if (this.waiting) this.startClock()
        return
      case 'proposal':
        this.addMessage(input.proposal)
        return
      case 'votes':
        for (const vote of input.votes) this.addMessage(vote)
        return
      case 'aggregate':
        this.addAggregate(input.aggregate)
        return
      case 'validated':
        this.recordVerdict(input)
        return
      case 'prepared':
        this.proposePrepared(input)
        return
      case 'timeout':
        this.onTimeout(input)
    }
  }

  private addMessage(message: ConsensusMessage): void {
    if (message.height !== this.height) return
    if (isVote(message) ? !this.set.members[message.member] : !this.isFromProposer(message)) return
    if (message.round > this.round) this.future.add(message)
    else this.addReached(message)
  }

  private addReached(message: ConsensusMessage): void {
    if (isVote(message)) this.addVote(message)
    else this.addProposal(message)
    if (this.waiting) this.startClock()
  }

  private isFromProposer({ proposer, round, validRound }: Proposal): boolean {
    return proposer === proposerOf(this.set, this.height, round) && validRound >= -1 && validRound < round
  }

  private addProposal(proposal: Verified<Proposal>): void {
    const state = this.stateOf(proposal.round)
    this.reportContradiction(state.addProposal(proposal), proposal)
    const { round, blockHash } = proposal
    if (!state.hasProposalFor(blockHash) || this.verdicts.has(blockHash)) return
    this.verdicts.set(blockHash, 'pending')
    this.outputs.push({ type: 'validate', height: this.height, round, blockHash })
  }

  private addVote(vote: Verified<Vote>): void {
    const keeper = this.stateOf(vote.round).keeperOf(vote.step)
    this.watchPrecommits(vote, keeper, () => this.reportContradiction(keeper.add(vote), vote))
  }

  private addAggregate(aggregate: Verified<VoteAggregate>): void {
    const content = contentOf(aggregate)
    if (content.round > this.round || !aggregate.votes.every(({ member }) => this.set.members[member])) return
    const keeper = this.stateOf(content.round).keeperOf(content.step)
    this.watchPrecommits(content, keeper, () => {
      for (const [first, second] of keeper.addAggregate(aggregate)) this.reportContradiction(first, second)
    })
    if (this.waiting) this.startClock()
  }

  /** Notes the block that gets its quorum of precommits by what is added. */
  private watchPrecommits({ round, step }: Pick<Vote, 'round' | 'step'>, keeper: VoteKeeper, add: () => void): void {
    const had = keeper.quorumBlock
    add()
    const blockHash = keeper.quorumBlock
    if (step === precommit && blockHash && !had) this.precommitted.push({ round, blockHash })
  }

  private reportContradiction(first: Vote | Proposal | null, second: Vote | Proposal): void {
    if (!first) return
    this.contradictionSeen = true
    this.outputs.push({ type: 'equivocation', first, second })
  }

  private recordVerdict({ blockHash, valid, acceptable = true }: InputOf<'validated'>): void {
    if (this.verdicts.get(blockHash) === 'pending') this.verdicts.set(blockHash, { valid, acceptable })
  }

  /** L18: the value that getValue() gave. */
  private proposePrepared({ round, blockHash }: InputOf<'prepared'>): void {
    if (round !== this.round || this.step !== 'propose' || this.current.proposalSigned) return
    if (this.current.proposalAsked) this.signProposal(blockHash, -1)
  }

  private onTimeout({ round, step }: InputOf<'timeout'>): void {
    if (round !== this.round) return
    if (step === 'precommit')
      this.startRound(round + 1) // L65
    else if (step !== this.step) return
    else if (step === 'propose')
      this.castPrevote(zeroHash) // L57
    else this.castPrecommit(zeroHash) // L61
  }

  // --- rounds ---

  /** L11-L13; messages of the round that came before it are counted first. */
  private startRound(round: Round): void {
    this.round = round
    this.step = 'propose'
    this.outputs.push({ type: 'round-started', height: this.height, round })
    this.waiting = false
    for (const message of this.future.takeUpTo(round)) this.addReached(message)
    this.startClock()
  }

  /** L14-L21. The proposer's timer runs too, since its application may fail to answer. */
  private startClock(): void {
    this.waiting = false
    if (this.self === this.proposer && !this.current.proposal) this.propose()
    this.schedule('propose')
  }

  private propose(): void {
    this.current.proposalAsked = true
    if (this.validValue !== null)
      this.signProposal(this.validValue, this.validRound) // L15-L16, L19
    else this.outputs.push({ type: 'prepare-proposal', height: this.height, round: this.round })
  }

  private signProposal(blockHash: BlockHash, validRound: Round | -1): void {
    this.current.proposalSigned = true
    const content = { height: this.height, round: this.round, validRound, blockHash }
    this.outputs.push({ type: 'sign-proposal', content })
  }

  // --- rules ---

  /** L49: a quorum of precommits in any round, for a block that is at hand from whichever round. */
  private decide(): boolean {
    for (const { round, blockHash } of this.precommitted) {
      const verdict = this.verdicts.get(blockHash)
      if (!verdict || verdict === 'pending') continue
      invariant(verdict.valid, 'a quorum precommitted an invalid block', { height: this.height, round, blockHash })
      const { set, height } = this
      const precommits = this.stateOf(round).precommits.signaturesFor(blockHash)
      const certificate = makeCertificate({ set, height, round, blockHash, precommits })
      this.decided = true
      this.outputs.push({ type: 'decide', height, round, blockHash, certificate })
      return true
    }
    return false
  }

  /** L55: more than a third of the power is in a later round. */
  private skipRound(): boolean {
    const round = this.future.roundAhead
    if (round === null) return false
    this.startRound(round)
    return true
  }

  /** L22 for a new block, L28 for one with a polka in an earlier round. */
  private prevoteProposal(): boolean {
    const proposal = this.current.proposal
    if (this.step !== 'propose' || !proposal) return false
    const { blockHash, validRound } = proposal
    const verdict = this.verdicts.get(blockHash)
    if (!verdict || verdict === 'pending') return false
    const isNew = validRound === -1
    if (!isNew && !this.rounds.get(validRound)?.prevotes.hasQuorumFor(blockHash)) return false
    const isUnlocked = isNew ? this.lockedRound === -1 : this.lockedRound <= validRound
    const isAcceptable = verdict.valid && (verdict.acceptable || !isNew)
    const accepts = isAcceptable && (isUnlocked || this.lockedValue === blockHash) // L23, L29
    const polkaRound = this.lockedValue === blockHash ? Math.max(validRound, this.lockedRound) : validRound
    this.castPrevote(accepts ? blockHash : zeroHash, polkaRound)
    return true
  }

  /** L36: lock on the block of a polka while still prevoting; in any case it is the one to propose again. */
  private followPolka(): boolean {
    const { prevotes, polkaHandled } = this.current
    const blockHash = prevotes.quorumBlock
    if (polkaHandled || this.step === 'propose' || blockHash === null) return false
    if (!this.current.hasProposalFor(blockHash)) return false
    const verdict = this.verdicts.get(blockHash)
    if (!verdict || verdict === 'pending' || !verdict.valid) return false
    this.current.polkaHandled = true
    this.validValue = blockHash
    this.validRound = this.round
    if (this.step === 'prevote') {
      this.lockedValue = blockHash
      this.lockedRound = this.round
      this.castPrecommit(blockHash)
    }
    return true
  }

  /** L44 */
  private precommitNilOnNilPolka(): boolean {
    if (this.step !== 'prevote' || !this.current.prevotes.hasQuorumFor(zeroHash)) return false
    this.castPrecommit(zeroHash)
    return true
  }

  /** L34 */
  private schedulePrevoteTimeout(): boolean {
    const { current } = this
    if (this.step !== 'prevote' || current.prevoteTimeoutScheduled || !current.prevotes.hasQuorum) return false
    current.prevoteTimeoutScheduled = true
    this.schedule('prevote')
    return true
  }

  /** L47 */
  private schedulePrecommitTimeout(): boolean {
    const { current } = this
    if (current.precommitTimeoutScheduled || !current.precommits.hasQuorum) return false
    current.precommitTimeoutScheduled = true
    this.schedule('precommit')
    return true
  }

  /**
   * L57, L61, L65 ahead of their timers, once waiting cannot bring anything: no block can get a polka any more, or this
   * node has seen it, and none can be decided. A node that saw no polka while one is possible waits, or it might leave the
   * round not knowing what others locked. After a contradiction more votes may come than members: timers decide. They do as
   * well once there were as many rounds as members: who fails so long fails for a reason that rounds at wire speed do not mend.
   */
  private endStepEarly(): boolean {
    const { prevotes, precommits, polkaHandled } = this.current
    if (this.contradictionSeen) return false
    const hopeless = !prevotes.canReachBlock
    if (this.step === 'precommit') {
      if (this.round >= this.set.members.length) return false
      if (precommits.canReachBlock || !(hopeless || polkaHandled)) return false
      this.startRound(this.round + 1)
      return true
    }
    if (!hopeless) return false
    if (this.step === 'propose') this.castPrevote(zeroHash)
    else this.castPrecommit(zeroHash)
    return true
  }

  // --- outputs ---

  private castPrevote(blockHash: BlockHash, polkaRound: Round | -1 = -1): void {
    this.step = 'prevote'
    this.signVote(prevote, blockHash, polkaRound)
  }

  private castPrecommit(blockHash: BlockHash): void {
    this.step = 'precommit'
    this.signVote(precommit, blockHash)
  }

  /** A vote of our own that is known already (it came back before we asked, after a crash) is not asked for again. */
  private signVote(step: VoteStep, blockHash: BlockHash, polkaRound: Round | -1 = -1): void {
    if (this.self === null || this.current.keeperOf(step).hasVoteOf(this.self)) return
    const content = { height: this.height, round: this.round, step, blockHash }
    this.outputs.push({ type: 'sign-vote', content, polkaRound })
  }

  private schedule(step: TimeoutStep): void {
    const { height, round, parameters } = this
    const delayMs = timeoutMs(parameters, step, round)
    this.outputs.push({ type: 'schedule-timeout', height, round, step, delayMs })
  }
}
