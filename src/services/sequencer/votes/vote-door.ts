import { bytesToHex } from '../../../base/primitives/bytes.js'
import type { BlockHash } from '../../../base/primitives/hashes.js'
import type { Height, MemberIndex, Power, Round } from '../../../base/primitives/quantities.js'
import { isOneHonest, isQuorum, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../../base/protocol/signing-domain.js'
import { type Vote, type VoteContent, type VoteStep, voteDigest } from '../../../base/protocol/vote.js'
import { contentOf, membersOf, type VoteAggregate } from '../../../base/protocol/vote-aggregate.js'
import type { SignatureVerifier } from '../../../io/keys/signature-verifier.js'
import type { PeerId } from '../../../io/network/peer-network.js'
import type { ConsensusCore } from '../../../rules/consensus/core.js'
import { asVerified, type Verified } from '../../../rules/consensus/verified.js'
import { mayOverlap } from '../../../rules/consensus/vote-keeper.js'

/** The peer that brought something, and the member that it speaks for. What is remembered of it is by member: peer ids are free. */
export interface Bearer {
  readonly id: PeerId
  readonly member: MemberIndex
}

/** Votes for one thing that one signature covers: a single vote, or those of an aggregate. */
interface Waiting {
  readonly votes: readonly Vote[]
  readonly signature: Uint8Array
  readonly aggregate: VoteAggregate | null
  /** Who is to blame for a false signature; null for one that an aggregate claims, which its bearer may not have checked. */
  readonly from: Bearer | null
}

/** Votes for one value of a step that are checked together. */
interface Group {
  readonly step: Step
  readonly round: Round
  readonly entries: readonly Waiting[]
}

/** Votes of one (round, step): who said something already, and what still waits for its signature check. */
interface Step {
  /** Values that each member brought for each member, by `member/bearer`. */
  readonly brought: Map<string, Set<BlockHash>>
  /** Members of whom any vote is at hand or was verified, and their power. */
  readonly heard: Map<MemberIndex, number>
  power: Power
  waiting: Waiting[]
  /** Values at hand or verified of each member. */
  readonly said: Map<MemberIndex, Set<BlockHash>>
  /** A vote of each member for a value that had its quorum: checked only if the member says something else too. */
  readonly unneeded: Map<MemberIndex, Waiting>
  /** Checks under way or due; what comes meanwhile waits for them, and is checked together if it is needed still. */
  checking: number
  /** Votes that are verified, by `member/value`. */
  readonly verified: Set<string>
  /** Members of the aggregates that were passed on, by value: signatures of another with one of them make no certificate. */
  readonly aggregated: Map<BlockHash, Set<MemberIndex>>
  /** Aggregates that each member brought. By bearer, so that those of one who is shut out can still come from another. */
  readonly aggregatesBrought: Map<MemberIndex, AggregatesBrought>
}

/** What a member brought in aggregates of a step. */
interface AggregatesBrought {
  /** Those that wait for their check, and valid ones that do not count beside others, for their claims were checked already. */
  readonly held: Set<string>
  /** How many votes it brought in all of them. */
  votes: number
}

/** What the door asks of the core, which may count less than what is verified: a second vote of a member, or one of a round far ahead. */
export type CountedVotes = Pick<ConsensusCore, 'lacks' | 'hasQuorumFor' | 'countsAsSecond'>

/** Rounds beyond the next two for which one bearer's votes of a member are kept: memory stays bounded, and one third still shows (L55). */
const maxFarRounds = 8

/**
 * Checks votes before the core sees them. No rule of the algorithm fires on fewer votes of a step than a quorum of any
 * values (or more than one third, for a later round), so votes wait until then and those for one value are checked
 * together: one pairing a step, however many sequencers there are. In round 0 by their sum, which then stands for them as one
 * aggregate; each for itself where the sum is wrong. An aggregate is checked as one signature; the single ones that it claims are
 * checked only when its sum is of no use.
 */
export class VoteDoor {
  private steps = new Map<string, Step>()
  private farRounds = new Map<string, Set<Round>>()
  /** Members who brought a false signature: nothing more is taken of them at this height, so that it costs one check of each. */
  private readonly forgers = new Set<MemberIndex>()
  /** One is checked at a time, so that what a forger brought is gone before it is looked at. */
  private due: Group[] = []
  private isChecking = false
  private generation = 0

  constructor(
    private readonly ports: {
      readonly verifier: Pick<SignatureVerifier, 'verify' | 'sum'>
      readonly domain: SigningDomain
      readonly onVerified: (votes: Verified<Vote>[]) => void
      readonly onAggregate: (aggregate: Verified<VoteAggregate>) => void
      readonly counted: CountedVotes
      readonly onForged: (vote: Vote, from: PeerId) => void
      readonly onFailure: (error: unknown) => void
    },
    private set: SequencerSet,
    private height: Height,
  ) {}

  /** Forgets everything and begins a height. */
  startHeight(height: Height, set: SequencerSet): void {
    this.generation++
    this.steps = new Map()
    this.farRounds = new Map()
    this.forgers.clear()
    this.due = []
    this.isChecking = false
    this.height = height
    this.set = set
  }

  /** Takes a vote of this height; `currentRound` is the core's. */
  take(vote: Vote, from: Bearer, currentRound: Round): void {
    const member = this.set.members[vote.member]
    if (!member || vote.height !== this.height || this.forgers.has(from.member)) return
    if (vote.round > currentRound + 2 && !this.mayKeepFar(vote, from)) return
    const step = this.stepOf(vote)
    if (!this.isOfUse(step, vote)) return
    this.forget(step, vote)
    // By bearer, so that what one forges does not shut out the true vote that another brings.
    const key = `${vote.member}/${from.member}`
    const values = step.brought.get(key) ?? new Set<BlockHash>()
    // Two values by one member are an equivocation to report; more are noise, unless they count for a value that may win.
    if (values.has(vote.blockHash) || (values.size >= 2 && !this.ports.counted.countsAsSecond(vote))) return
    step.brought.set(key, values.add(vote.blockHash))
    this.admit(step, { votes: [vote], signature: vote.signature, aggregate: null, from }, currentRound)
  }

  /** Takes an aggregate of this height, of a round that was reached. */
  takeAggregate(aggregate: VoteAggregate, from: Bearer, currentRound: Round): void {
    const content = contentOf(aggregate)
    const { votes, signature } = aggregate
    const { members } = this.set
    if (content.height !== this.height || content.round > currentRound || this.forgers.has(from.member)) return
    if (!votes.every(({ member }) => members[member])) return
    const step = this.stepOf(content)
    if (!votes.some(vote => this.isOfUse(step, vote))) return
    const brought = broughtBy(step, from)
    if (brought.held.has(idOf(aggregate))) return
    // As of single votes: two values of each member are evidence, more are noise, unless they count for a value that may win. Of
    // those one waits at a time: it adds a member, so there are few, where a member that votes for anything makes any number.
    const isOverLimit = brought.votes + votes.length > 2 * members.length
    if (isOverLimit && (brought.held.size > 0 || !this.ports.counted.countsAsSecond(content))) return
    brought.votes += votes.length
    for (const vote of votes) if (this.isOfUse(step, vote)) this.forget(step, vote)
    this.admit(step, { votes, signature, aggregate, from }, currentRound)
  }

  /** Whether the vote is not verified, or the core dropped it and would count it now. */
  private isOfUse(step: Step, vote: Vote): boolean {
    return !step.verified.has(identityOf(vote)) || this.ports.counted.lacks(vote)
  }

  /** A vote that the core dropped comes in as if for the first time. */
  private forget(step: Step, vote: Vote): void {
    const { member, blockHash } = vote
    if (!step.verified.delete(identityOf(vote))) return
    this.hear(step, member, -1)
    for (const [key, values] of step.brought) if (key.startsWith(`${member}/`)) values.delete(blockHash)
  }

  private admit(step: Step, entry: Waiting, currentRound: Round): void {
    for (const vote of entry.votes) this.say(step, vote)
    if (this.isUnneeded(step, entry)) return putAside(step, entry)
    const late = new Set(
      entry.votes.filter(vote => this.contradicts(step, vote)).flatMap(({ member }) => step.unneeded.get(member) ?? []),
    )
    for (const other of late) for (const { member } of other.votes) step.unneeded.delete(member)
    for (const waiting of [...late, entry]) this.await(step, waiting)
    this.flushIfDecisive(step, entry.votes[0]!.round, currentRound)
  }

  private await(step: Step, entry: Waiting): void {
    const { votes, aggregate, from } = entry
    for (const { member } of votes) this.hear(step, member, 1)
    if (aggregate && from) broughtBy(step, from).held.add(idOf(aggregate))
    step.waiting.push(entry)
  }

  /** It waits no more: if the core comes to lack its votes, it may come again. */
  private release(step: Step, { aggregate, from }: Waiting): void {
    if (aggregate && from) broughtBy(step, from).held.delete(idOf(aggregate))
  }

  /** Whether this vote was verified or counted already. */
  isKnown(vote: Vote): boolean {
    const step = vote.height === this.height ? this.steps.get(`${vote.round}/${vote.step}`) : undefined
    return step?.verified.has(identityOf(vote)) ?? false
  }

  /** Counts a vote that needs no check: this node's own, or one from its log. */
  countChecked(vote: Vote, currentRound: Round): void {
    if (!this.set.members[vote.member] || vote.height !== this.height) return
    const step = this.stepOf(vote)
    this.say(step, vote)
    if (this.addVerified(step, vote)) this.hear(step, vote.member, 1)
    this.flushIfDecisive(step, vote.round, currentRound)
  }

  /** As `countChecked`, for an aggregate from the log. */
  countCheckedAggregate(aggregate: VoteAggregate, currentRound: Round): void {
    const content = contentOf(aggregate)
    if (content.height !== this.height) return
    this.addAggregate(this.stepOf(content), aggregate)
    for (const vote of aggregate.votes) this.countChecked(vote, currentRound)
  }

  /** Members of whom a vote of this round and step is at hand, verified or waiting for its check. */
  heard(round: Round, step: VoteStep): MemberIndex[] {
    const heard = this.steps.get(`${round}/${step}`)?.heard ?? new Map<MemberIndex, number>()
    return [...heard].filter(([, votes]) => votes > 0).map(([member]) => member)
  }

  private say({ said }: Step, { member, blockHash }: Vote): void {
    said.set(member, (said.get(member) ?? new Set<BlockHash>()).add(blockHash))
  }

  /** Whether the member is said to have voted for something else too: then both votes are checked, as evidence. */
  private contradicts({ said }: Step, { member }: Vote): boolean {
    return (said.get(member)?.size ?? 0) > 1
  }

  /** Whether it adds nothing: its value has its quorum in the core, and no vote of it contradicts another. */
  private isUnneeded(step: Step, { votes }: Waiting): boolean {
    if (!this.ports.counted.hasQuorumFor(votes[0]!)) return false
    return !votes.some(vote => this.contradicts(step, vote))
  }

  private mayKeepFar({ member, round }: Vote, from: Bearer): boolean {
    const key = `${member}/${from.member}`
    const rounds = this.farRounds.get(key) ?? new Set<Round>()
    this.farRounds.set(key, rounds)
    if (!rounds.has(round) && rounds.size >= maxFarRounds) return false
    rounds.add(round)
    return true
  }

  /** One vote of the member more, or one less: its power counts while there is any. */
  private hear(step: Step, member: MemberIndex, change: 1 | -1): void {
    const votes = step.heard.get(member) ?? 0
    step.heard.set(member, votes + change)
    const { power } = this.set.members[member]!
    if (votes === 0) step.power += power
    else if (votes + change === 0) step.power -= power
  }

  private flushIfDecisive(step: Step, round: Round, currentRound: Round): void {
    if (step.waiting.length === 0 || step.checking > 0) return
    if (!isQuorum(this.set, step.power) && !(round > currentRound && isOneHonest(this.set, step.power))) return
    const waiting = step.waiting
    step.waiting = []
    const byValue = new Map<BlockHash, Waiting[]>()
    const aggregates = new Set<string>()
    for (const entry of waiting) {
      const { blockHash } = entry.votes[0]!
      const id = entry.aggregate && idOf(entry.aggregate)
      // The same from two bearers is checked once; the second waits, as the first may be thrown away with its bearer.
      if (id !== null && aggregates.has(id)) {
        step.waiting.push(entry)
        continue
      }
      if (id !== null) aggregates.add(id)
      const group = byValue.get(blockHash)
      if (group) group.push(entry)
      else byValue.set(blockHash, [entry])
    }
    for (const entries of byValue.values()) {
      step.checking++
      this.due.push({ step, round, entries })
    }
    this.checkNext(currentRound)
  }

  private checkNext(currentRound: Round): void {
    const group = this.isChecking ? undefined : this.due.shift()
    if (!group) return
    const entries = group.entries.filter(entry => !this.isForgers(entry))
    for (const entry of group.entries) if (this.isForgers(entry)) this.unhear(group.step, entry)
    this.isChecking = true
    const { generation } = this
    const checked = entries.length > 0 ? this.check(group.step, entries) : Promise.resolve({ sum: null, verdicts: [] })
    checked.then(verdict => {
      if (generation !== this.generation) return
      this.isChecking = false
      this.settle({ ...group, entries }, verdict, currentRound)
      if (generation === this.generation) this.checkNext(currentRound)
    }, this.ports.onFailure)
  }

  private settle({ step, round, entries }: Group, { sum, verdicts }: Verdicts, currentRound: Round): void {
    const generation = this.generation
    const passed = { votes: [] as Verified<Vote>[], aggregates: [] as Verified<VoteAggregate>[] }
    if (sum) this.pass(step, sum, passed)
    entries.forEach((entry, i) => {
      if (verdicts[i]) this.pass(step, entry, passed)
      else if (!sum) this.refuse(step, entry)
    })
    step.checking--
    if (passed.votes.length > 0) this.ports.onVerified(passed.votes)
    for (const aggregate of passed.aggregates) if (generation === this.generation) this.ports.onAggregate(aggregate)
    if (generation !== this.generation) return
    this.dropWaiting(step)
    this.flushIfDecisive(step, round, currentRound)
  }

  /** Of what waits keeps what still adds something. */
  private dropWaiting(step: Step): void {
    const waiting = step.waiting
    step.waiting = []
    for (const entry of waiting) {
      const isLacking = entry.votes.some(vote => !step.verified.has(identityOf(vote)))
      if (isLacking && !this.isUnneeded(step, entry)) {
        step.waiting.push(entry)
        continue
      }
      this.release(step, entry)
      if (isLacking) putAside(step, entry)
    }
  }

  private isForgers({ from }: Waiting): boolean {
    return from !== null && this.forgers.has(from.member)
  }

  private unhear(step: Step, { votes }: Waiting): void {
    for (const { member } of votes) this.hear(step, member, -1)
  }

  private async check(step: Step, group: readonly Waiting[]): Promise<Verdicts> {
    const { verifier, domain } = this.ports
    const digest = voteDigest(domain, group[0]!.votes[0]!)
    const signed = group.map(({ votes, signature }) => ({
      keys: votes.map(({ member }) => this.set.members[member]!.publicKey),
      signature,
    }))
    const signature = this.mayBeSummed(step, group) ? await verifier.sum({ digest, signed }) : null
    if (signature === null) return { sum: null, verdicts: await verifier.verify({ digest, signed }) }
    const votes = group.flatMap(entry => entry.votes).sort((one, other) => one.member - other.member)
    return { sum: { votes, signature, aggregate: { votes, signature }, from: null }, verdicts: [] }
  }

  /**
   * Whether these may be one aggregate from now on: single votes of round 0, in which every peer is that is helped with it, one
   * of each member, and of none whose single vote may have to be shown as evidence.
   */
  private mayBeSummed(step: Step, group: readonly Waiting[]): boolean {
    const { round, blockHash } = group[0]!.votes[0]!
    if (round > 0 || group.length < 2 || !group.every(({ aggregate }) => aggregate === null)) return false
    const votes = group.flatMap(entry => entry.votes)
    const aggregated = step.aggregated.get(blockHash)
    const members = new Set(votes.map(({ member }) => member))
    return (
      members.size === votes.length && !votes.some(vote => aggregated?.has(vote.member) || this.contradicts(step, vote))
    )
  }

  /** Its signature is valid: counts what is new of it. */
  private pass(
    step: Step,
    entry: Waiting,
    passed: { votes: Verified<Vote>[]; aggregates: Verified<VoteAggregate>[] },
  ): void {
    const { votes, aggregate } = entry
    if (!aggregate) {
      if (this.addVerified(step, votes[0]!)) passed.votes.push(asVerified(votes[0]!))
      return
    }
    const addsMember = votes.some(vote => !step.verified.has(identityOf(vote)))
    const counts = this.addAggregate(step, aggregate)
    if (counts || !addsMember) this.release(step, entry)
    if (!counts) return this.awaitClaims(step, entry)
    for (const vote of votes) this.addVerified(step, vote)
    passed.aggregates.push(asVerified(aggregate))
  }

  private refuse(step: Step, entry: Waiting): void {
    const { votes, aggregate, from } = entry
    if (from !== null && !this.forgers.has(from.member)) {
      this.shutOut(from)
      this.ports.onForged(votes[0]!, from.id)
    }
    if (aggregate) return this.awaitClaims(step, entry)
    this.hear(step, votes[0]!.member, -1)
  }

  /** Nothing that it brought is looked at any more. */
  private shutOut({ member }: Bearer): void {
    this.forgers.add(member)
    for (const step of this.steps.values()) {
      for (const entry of step.waiting) if (this.isForgers(entry)) this.unhear(step, entry)
      step.waiting = step.waiting.filter(entry => !this.isForgers(entry))
    }
  }

  /** The sum is of no use: what it lacks is checked vote by vote. */
  private awaitClaims(step: Step, { votes }: Waiting): void {
    for (const vote of votes) {
      if (step.verified.has(identityOf(vote))) continue
      this.hear(step, vote.member, -1)
      this.await(step, { votes: [vote], signature: vote.signature, aggregate: null, from: null })
    }
  }

  /** Whether it counts beside the other aggregates for its value. */
  private addAggregate(step: Step, aggregate: VoteAggregate): boolean {
    const { blockHash, step: kind } = contentOf(aggregate)
    const members = step.aggregated.get(blockHash) ?? new Set<MemberIndex>()
    const overlaps = aggregate.votes.some(({ member }) => members.has(member))
    const addsMember = aggregate.votes.some(vote => !step.verified.has(identityOf(vote)))
    if (overlaps && !mayOverlap(kind, addsMember)) return false
    for (const { member } of aggregate.votes) members.add(member)
    step.aggregated.set(blockHash, members)
    return true
  }

  /** Whether the vote is new. */
  private addVerified(step: Step, vote: Vote): boolean {
    const identity = identityOf(vote)
    if (step.verified.has(identity)) return false
    step.verified.add(identity)
    return true
  }

  private stepOf({ round, step }: VoteContent): Step {
    const key = `${round}/${step}`
    let found = this.steps.get(key)
    if (!found) {
      found = {
        brought: new Map(),
        heard: new Map(),
        power: 0n,
        waiting: [],
        said: new Map(),
        unneeded: new Map(),
        checking: 0,
        verified: new Set(),
        aggregated: new Map(),
        aggregatesBrought: new Map(),
      }
      this.steps.set(key, found)
    }
    return found
  }
}

function putAside(step: Step, entry: Waiting): void {
  for (const { member } of entry.votes) step.unneeded.set(member, entry)
}

function broughtBy({ aggregatesBrought }: Step, { member }: Bearer): AggregatesBrought {
  const brought = aggregatesBrought.get(member) ?? { held: new Set<string>(), votes: 0 }
  aggregatesBrought.set(member, brought)
  return brought
}

/** What an aggregate says, without the single votes that it claims. */
const idOf = (aggregate: VoteAggregate): string =>
  `${membersOf(aggregate)} ${contentOf(aggregate).blockHash} ${bytesToHex(aggregate.signature)}`

/** What is known of a group: its sum where that is valid, else a verdict on each of it. */
interface Verdicts {
  readonly sum: Waiting | null
  readonly verdicts: readonly boolean[]
}

const identityOf = ({ member, blockHash }: Vote): string => `${member}/${blockHash}`
