import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import type { Proposal } from '../../src/base/protocol/proposal.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { precommit, prevote, type Vote, type VoteStep } from '../../src/base/protocol/vote.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'

type Step = 'propose' | 'prevote' | 'precommit'

/** What the process broadcasts, decides or schedules, as text to compare. */
export type ModelAction = string

/**
 * Algorithm 1 of arXiv 1807.04938 for one height, written down as it stands there: all messages are kept, every rule scans
 * them all. Only getValue() and valid() are answered later, by `prepared` and `validated`. Where the paper leaves a choice,
 * the model makes the core's: the order of rules, and of two proposals of a round the first to come is voted on.
 */
export class Algorithm1 {
  round = 0
  step: Step = 'propose'
  lockedValue: BlockHash | null = null
  lockedRound = -1
  validValue: BlockHash | null = null
  validRound = -1
  decision: BlockHash | null = null

  private readonly proposals: Proposal[] = []
  private readonly votes: Vote[] = []
  private readonly validity = new Map<BlockHash, boolean>()
  private readonly untimely = new Set<BlockHash>()
  private started = false
  private readonly firstTimes = new Set<string>()
  private actions: ModelAction[] = []

  constructor(
    private readonly height: number,
    readonly set: SequencerSet,
    private readonly self: number,
  ) {}

  /** Started and without a decision. */
  get isRunning(): boolean {
    return this.started && this.decision === null
  }

  /** L10 */
  start(): ModelAction[] {
    this.started = true
    return this.run(() => this.startRound(0))
  }

  receiveProposal(proposal: Proposal): ModelAction[] {
    return this.run(() => this.proposals.push(proposal))
  }

  receiveVotes(votes: readonly Vote[]): ModelAction[] {
    return this.run(() => this.votes.push(...votes))
  }

  /** valid(v), and `timely` of proposer-based timestamps, which L22 alone asks for. */
  validated(blockHash: BlockHash, valid: boolean, timely = true): ModelAction[] {
    return this.run(() => {
      this.validity.set(blockHash, valid)
      if (!timely) this.untimely.add(blockHash)
    })
  }

  /** getValue(), asked in this round */
  prepared(round: number, blockHash: BlockHash): ModelAction[] {
    return this.run(() => {
      if (round === this.round && this.step === 'propose') this.broadcastProposal(blockHash, -1)
    })
  }

  timeout(step: Step, round: number): ModelAction[] {
    return this.run(() => {
      if (round !== this.round) return
      if (step === 'propose' && this.step === 'propose') {
        this.broadcast(prevote, zeroHash) // L59
        this.step = 'prevote' // L60
      } else if (step === 'prevote' && this.step === 'prevote') {
        this.broadcast(precommit, zeroHash) // L63
        this.step = 'precommit' // L64
      } else if (step === 'precommit') this.startRound(round + 1) // L67
    })
  }

  /**
   * Not in the paper: whether waiting for more messages cannot change what this step ends with, if no member votes twice.
   * No block can get 2f+1 prevotes any more or, in step precommit, L36 has fired or cannot, and none can get 2f+1 precommits.
   */
  isHopeless(): boolean {
    const noPolka = !this.isWithinReach(prevote)
    if (this.step !== 'precommit') return noPolka
    return (noPolka || this.firstTimes.has(`L36 ${this.round}`)) && !this.isWithinReach(precommit)
  }

  /** Whether some block could still get 2f+1 votes of this round. */
  private isWithinReach(step: VoteStep): boolean {
    const cast = this.votes.filter(vote => vote.step === step && vote.round === this.round)
    const voters = new Set(cast.map(vote => vote.member))
    const silent = this.set.members.map(({ index }) => index).filter(member => !voters.has(member))
    const blocks = new Set(cast.map(vote => vote.blockHash).filter(hash => hash !== zeroHash))
    const reaches = (members: readonly number[]) => this.powerOf(members) * 3n > this.set.totalPower * 2n
    if (reaches(silent)) return true
    return [...blocks].some(block =>
      reaches([...silent, ...cast.filter(vote => vote.blockHash === block).map(vote => vote.member)]),
    )
  }

  private run(change: () => void): ModelAction[] {
    this.actions = []
    if (this.decision !== null) return []
    change()
    while (this.started && this.decision === null && this.uponRules()) {}
    return this.actions
  }

  /** L11-L21 */
  private startRound(round: number): void {
    this.round = round
    this.step = 'propose'
    if (proposerOf(this.set, this.height, round) !== this.self) this.actions.push(`timer propose ${round}`)
    else if (this.validValue !== null) this.broadcastProposal(this.validValue, this.validRound)
    else this.actions.push(`getValue ${round}`)
  }

  private uponRules(): boolean {
    return (
      this.line49() ||
      this.line55() ||
      this.line22() ||
      this.line28() ||
      this.line36() ||
      this.line44() ||
      this.line34() ||
      this.line47()
    )
  }

  private line22(): boolean {
    if (this.step !== 'propose') return false
    for (const { blockHash: v } of this.proposalsOf(this.round)
      .slice(0, 1)
      .filter(p => p.validRound === -1)) {
      const valid = this.validity.get(v)
      if (valid === undefined) continue
      const accepts = valid && !this.untimely.has(v)
      this.broadcast(prevote, accepts && (this.lockedRound === -1 || this.lockedValue === v) ? v : zeroHash)
      this.step = 'prevote'
      return true
    }
    return false
  }

  private line28(): boolean {
    if (this.step !== 'propose') return false
    for (const { blockHash: v, validRound: vr } of this.proposalsOf(this.round).slice(0, 1)) {
      const valid = this.validity.get(v)
      if (vr < 0 || vr >= this.round || valid === undefined || !this.has2f1(prevote, vr, v)) continue
      this.broadcast(prevote, valid && (this.lockedRound <= vr || this.lockedValue === v) ? v : zeroHash)
      this.step = 'prevote'
      return true
    }
    return false
  }

  private line34(): boolean {
    if (this.step !== 'prevote' || !this.has2f1(prevote, this.round, null)) return false
    return this.firstTime('L34', () => this.actions.push(`timer prevote ${this.round}`))
  }

  private line36(): boolean {
    if (this.step === 'propose') return false
    for (const { blockHash: v } of this.proposalsOf(this.round)) {
      if (!this.has2f1(prevote, this.round, v) || this.validity.get(v) !== true) continue
      const fired = this.firstTime('L36', () => {
        if (this.step === 'prevote') {
          this.lockedValue = v
          this.lockedRound = this.round
          this.broadcast(precommit, v)
          this.step = 'precommit'
        }
        this.validValue = v
        this.validRound = this.round
      })
      if (fired) return true
    }
    return false
  }

  private line44(): boolean {
    if (this.step !== 'prevote' || !this.has2f1(prevote, this.round, zeroHash)) return false
    this.broadcast(precommit, zeroHash)
    this.step = 'precommit'
    return true
  }

  private line47(): boolean {
    if (!this.has2f1(precommit, this.round, null)) return false
    return this.firstTime('L47', () => this.actions.push(`timer precommit ${this.round}`))
  }

  private line49(): boolean {
    for (const { round, blockHash: v } of this.proposals) {
      if (!this.has2f1(precommit, round, v) || this.validity.get(v) !== true) continue
      this.decision = v
      this.actions.push(`decide ${v}`)
      return true
    }
    return false
  }

  private line55(): boolean {
    const rounds = [...this.proposals, ...this.votes].map(m => m.round).filter(round => round > this.round)
    for (const round of rounds.sort((a, b) => b - a)) {
      const senders = [
        ...this.proposals.filter(p => p.round === round).map(p => p.proposer),
        ...this.votes.filter(vote => vote.round === round).map(vote => vote.member),
      ]
      if (this.powerOf(senders) * 3n <= this.set.totalPower) continue
      this.startRound(round)
      return true
    }
    return false
  }

  private proposalsOf(round: number): Proposal[] {
    return this.proposals.filter(
      p => p.round === round && p.proposer === proposerOf(this.set, this.height, round) && p.validRound < round,
    )
  }

  /** 2f+1 votes of this round and step, for the value or, when it is null, for any. */
  private has2f1(step: VoteStep, round: number, value: BlockHash | null): boolean {
    const matching = this.votes.filter(
      vote => vote.step === step && vote.round === round && (value === null || vote.blockHash === value),
    )
    return this.powerOf(matching.map(vote => vote.member)) * 3n > this.set.totalPower * 2n
  }

  private powerOf(senders: readonly number[]): bigint {
    return [...new Set(senders)].reduce((sum, member) => sum + this.set.members[member]!.power, 0n)
  }

  private firstTime(line: string, action: () => void): boolean {
    const id = `${line} ${this.round}`
    if (this.firstTimes.has(id)) return false
    this.firstTimes.add(id)
    action()
    return true
  }

  private broadcast(step: VoteStep, blockHash: BlockHash): void {
    this.actions.push(`${step === prevote ? 'prevote' : 'precommit'} ${this.round} ${blockHash}`)
  }

  private broadcastProposal(blockHash: BlockHash, validRound: number): void {
    this.actions.push(`propose ${this.round} ${blockHash} ${validRound}`)
  }
}
