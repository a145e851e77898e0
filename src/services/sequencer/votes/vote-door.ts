import { bytesToHex } from '../../../base/primitives/bytes.js'
import type { BlockHash } from '../../../base/primitives/hashes.js'
import type { Height, MemberIndex, Power, Round } from '../../../base/primitives/quantities.js'
import { isOneHonest, isQuorum, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../../base/protocol/signing-domain.js'
import { type Vote, type VoteContent, type VoteStep, voteDigest } from '../../../base/protocol/vote.js'
import { contentOf, membersOf, type VoteAggregate } from '../../../base/protocol/vote-aggregate.js'
import type { SignatureVerifier } from '../../../io/keys/signature-verifier.js'
import type { PeerId } from '../../../io/network/peer-network.js'
import { asVerified, type Verified } from '../../../rules/consensus/verified.js'

/** Votes for one thing that one signature covers: a single vote, or those of an aggregate. */
interface Waiting {
  readonly votes: readonly Vote[]
  readonly signature: Uint8Array
  readonly aggregate: VoteAggregate | null
  /** Who is to blame for a false signature; null for one that an aggregate claims, which its bearer may not have checked. */
  readonly from: PeerId | null
}

/** Votes of one (round, step): who said something already, and what still waits for its signature check. */
interface Step {
  /** Values that each peer brought for each member, by `member/peer`. */
  readonly brought: Map<string, Set<BlockHash>>
  /** Members of whom any vote is at hand or was verified, and their power. */
  readonly heard: Map<MemberIndex, number>
  power: Power
  waiting: Waiting[]
  /** Values at hand or verified of each member. */
  readonly said: Map<MemberIndex, Set<BlockHash>>
  /** A vote of each member for a value that had its quorum: checked only if the member says something else too. */
  readonly unneeded: Map<MemberIndex, Waiting>
  /** Checks under way; what comes meanwhile waits for them, and is checked together if it is needed still. */
  checking: number
  /** Votes that are verified, by `member/value`. */
  readonly verified: Set<string>
  readonly verifiedPower: Map<BlockHash, Power>
  /** Members of the aggregates that were passed on, by value: signatures of another with one of them make no certificate. */
  readonly aggregated: Map<BlockHash, Set<MemberIndex>>
  /** Aggregates that came, and how many votes each peer brought in them. */
  readonly aggregatesTaken: Set<string>
  readonly broughtInAggregates: Map<PeerId, number>
}

/** Rounds beyond the next two for which one peer's votes of a member are kept: memory stays bounded, and one third still shows (L55). */
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
  private generation = 0

  constructor(
    private readonly ports: {
      readonly verifier: Pick<SignatureVerifier, 'verify' | 'sum'>
      readonly domain: SigningDomain
      readonly onVerified: (votes: Verified<Vote>[]) => void
      readonly onAggregate: (aggregate: Verified<VoteAggregate>) => void
      /** Whether the core dropped a verified vote of this height that it would count now. */
      readonly lacks: (vote: Vote) => boolean
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
    this.height = height
    this.set = set
  }

  /** Takes a vote of this height; `currentRound` is the core's. */
  take(vote: Vote, from: PeerId, currentRound: Round): void {
    const member = this.set.members[vote.member]
    if (!member || vote.height !== this.height) return
    if (vote.round > currentRound + 2 && !this.mayKeepFar(vote, from)) return
    const step = this.stepOf(vote)
    if (step.verified.has(identityOf(vote))) {
      if (!this.ports.lacks(vote)) return
      this.forget(step, vote)
    }
    // By peer, so that what one peer forges does not shut out the true vote that another brings.
    const key = `${vote.member}/${from}`
    const values = step.brought.get(key) ?? new Set<BlockHash>()
    // Two values by one member are an equivocation to report; more are noise.
    if (values.has(vote.blockHash) || values.size >= 2) return
    step.brought.set(key, values.add(vote.blockHash))
    this.admit(step, { votes: [vote], signature: vote.signature, aggregate: null, from }, currentRound)
  }

  /** Takes an aggregate of this height, of a round that was reached. */
  takeAggregate(aggregate: VoteAggregate, from: PeerId, currentRound: Round): void {
    const content = contentOf(aggregate)
    const { votes, signature } = aggregate
    const { members } = this.set
    if (content.height !== this.height || content.round > currentRound) return
    if (!votes.every(({ member }) => members[member])) return
    const step = this.stepOf(content)
    const id = `${membersOf(aggregate)} ${content.blockHash} ${bytesToHex(signature)}`
    const brought = (step.broughtInAggregates.get(from) ?? 0) + votes.length
    // As of single votes: two values of each member are evidence, more are noise.
    if (step.aggregatesTaken.has(id) || brought > 2 * members.length) return
    step.aggregatesTaken.add(id)
    step.broughtInAggregates.set(from, brought)
    if (votes.every(vote => step.verified.has(identityOf(vote)))) return
    this.admit(step, { votes, signature, aggregate, from }, currentRound)
  }

  /** A vote that the core dropped comes in as if for the first time. */
  private forget(step: Step, vote: Vote): void {
    const { member, blockHash } = vote
    step.verified.delete(identityOf(vote))
    step.verifiedPower.set(blockHash, step.verifiedPower.get(blockHash)! - this.set.members[member]!.power)
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
    for (const { member } of entry.votes) this.hear(step, member, 1)
    step.waiting.push(entry)
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

  /** Whether it adds nothing: its value has its quorum, and no vote of it contradicts another. */
  private isUnneeded(step: Step, { votes }: Waiting): boolean {
    if (!isQuorum(this.set, step.verifiedPower.get(votes[0]!.blockHash) ?? 0n)) return false
    return !votes.some(vote => this.contradicts(step, vote))
  }

  private mayKeepFar({ member, round }: Vote, from: PeerId): boolean {
    const key = `${member}/${from}`
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
    for (const entry of waiting) {
      const { blockHash } = entry.votes[0]!
      const group = byValue.get(blockHash)
      if (group) group.push(entry)
      else byValue.set(blockHash, [entry])
    }
    for (const group of byValue.values()) this.verify(step, group, currentRound)
  }

  private verify(step: Step, group: readonly Waiting[], currentRound: Round): void {
    const generation = this.generation
    step.checking++
    const content = group[0]!.votes[0]!
    this.check(step, group).then(({ sum, verdicts }) => {
      if (generation !== this.generation) return
      const passed = { votes: [] as Verified<Vote>[], aggregates: [] as Verified<VoteAggregate>[] }
      if (sum) this.pass(step, sum, passed)
      group.forEach((entry, i) => {
        if (verdicts[i]) this.pass(step, entry, passed)
        else if (!sum) this.refuse(step, entry)
      })
      step.checking--
      if (passed.votes.length > 0) this.ports.onVerified(passed.votes)
      for (const aggregate of passed.aggregates) if (generation === this.generation) this.ports.onAggregate(aggregate)
      if (generation !== this.generation) return
      const lacking = step.waiting.filter(({ votes }) => votes.some(vote => !step.verified.has(identityOf(vote))))
      step.waiting = lacking.filter(entry => !this.isUnneeded(step, entry))
      for (const entry of lacking) if (this.isUnneeded(step, entry)) putAside(step, entry)
      this.flushIfDecisive(step, content.round, currentRound)
    }, this.ports.onFailure)
  }

  /** What is known of a group for one value: its sum where that is valid, else a verdict on each of it. */
  private async check(
    step: Step,
    group: readonly Waiting[],
  ): Promise<{ readonly sum: Waiting | null; readonly verdicts: readonly boolean[] }> {
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
    if (!this.addAggregate(step, aggregate)) return this.awaitClaims(step, entry)
    for (const vote of votes) this.addVerified(step, vote)
    passed.aggregates.push(asVerified(aggregate))
  }

  private refuse(step: Step, entry: Waiting): void {
    const { votes, aggregate, from } = entry
    if (from !== null) this.ports.onForged(votes[0]!, from)
    if (aggregate) return this.awaitClaims(step, entry)
    this.hear(step, votes[0]!.member, -1)
  }

  /** The sum is of no use: what it lacks is checked vote by vote. */
  private awaitClaims(step: Step, { votes }: Waiting): void {
    for (const vote of votes) {
      if (step.verified.has(identityOf(vote))) continue
      this.hear(step, vote.member, -1)
      this.await(step, { votes: [vote], signature: vote.signature, aggregate: null, from: null })
    }
  }

  /** Whether its members are in no other aggregate for the value, so that the signatures add up. */
  private addAggregate(step: Step, aggregate: VoteAggregate): boolean {
    const { blockHash } = contentOf(aggregate)
    const members = step.aggregated.get(blockHash) ?? new Set<MemberIndex>()
    if (aggregate.votes.some(({ member }) => members.has(member))) return false
    for (const { member } of aggregate.votes) members.add(member)
    step.aggregated.set(blockHash, members)
    return true
  }

  /** Whether the vote is new. */
  private addVerified(step: Step, vote: Vote): boolean {
    const identity = identityOf(vote)
    if (step.verified.has(identity)) return false
    step.verified.add(identity)
    const { power } = this.set.members[vote.member]!
    step.verifiedPower.set(vote.blockHash, (step.verifiedPower.get(vote.blockHash) ?? 0n) + power)
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
        verifiedPower: new Map(),
        aggregated: new Map(),
        aggregatesTaken: new Set(),
        broughtInAggregates: new Map(),
      }
      this.steps.set(key, found)
    }
    return found
  }
}

function putAside(step: Step, entry: Waiting): void {
  for (const { member } of entry.votes) step.unneeded.set(member, entry)
}

const identityOf = ({ member, blockHash }: Vote): string => `${member}/${blockHash}`
