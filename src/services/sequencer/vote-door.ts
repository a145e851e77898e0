import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex, Power, Round } from '../../base/primitives/quantities.js'
import { isOneHonest, isQuorum, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { type Vote, type VoteStep, voteDigest } from '../../base/protocol/vote.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { PeerId } from '../../io/network/peer-network.js'
import { asVerified, type Verified } from '../../rules/consensus/verified.js'

interface WaitingVote {
  readonly vote: Vote
  readonly from: PeerId
}

/** Votes of one (round, step): who said something already, and what still waits for its signature check. */
interface Step {
  /** Values that each peer brought for each member, by `member/peer`. */
  readonly brought: Map<string, Set<BlockHash>>
  /** Members of whom any vote is at hand or was verified, and their power. */
  readonly heard: Map<MemberIndex, number>
  power: Power
  waiting: WaitingVote[]
  /** Values at hand or verified of each member. */
  readonly said: Map<MemberIndex, Set<BlockHash>>
  /** A vote of each member for a value that had its quorum: checked only if the member says something else too. */
  readonly unneeded: Map<MemberIndex, WaitingVote>
  /** Checks under way; what comes meanwhile waits for them, and is checked together if it is needed still. */
  checking: number
  /** Votes that are verified, by `member/value`. */
  readonly verified: Set<string>
  readonly verifiedPower: Map<BlockHash, Power>
}

/** Rounds beyond the next two for which one peer's votes of a member are kept: memory stays bounded, and one third still shows (L55). */
const maxFarRounds = 8

/**
 * Checks votes before the core sees them. No rule of the algorithm fires on fewer votes of a step than a quorum of any
 * values (or more than one third, for a later round), so votes wait until then and those for one value are checked
 * together: one pairing a step, however many sequencers there are.
 */
export class VoteDoor {
  private steps = new Map<string, Step>()
  private farRounds = new Map<string, Set<Round>>()
  private generation = 0

  constructor(
    private readonly ports: {
      readonly verifier: Pick<SignatureVerifier, 'verify'>
      readonly domain: SigningDomain
      readonly onVerified: (votes: Verified<Vote>[]) => void
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
    if (step.verified.has(identityOf(vote))) return
    // By peer, so that what one peer forges does not shut out the true vote that another brings.
    const key = `${vote.member}/${from}`
    const values = step.brought.get(key) ?? new Set<BlockHash>()
    // Two values by one member are an equivocation to report; more are noise.
    if (values.has(vote.blockHash) || values.size >= 2) return
    step.brought.set(key, values.add(vote.blockHash))
    this.say(step, vote)
    if (this.isUnneeded(step, vote)) return void step.unneeded.set(vote.member, { vote, from })
    const late = this.contradicts(step, vote) && step.unneeded.get(vote.member)
    if (late) step.unneeded.delete(vote.member)
    for (const entry of late ? [late, { vote, from }] : [{ vote, from }]) {
      this.hear(step, vote.member, 1)
      step.waiting.push(entry)
    }
    this.flushIfDecisive(step, vote.round, currentRound)
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

  /** Whether the vote adds nothing: its value has its quorum, and it contradicts no other. */
  private isUnneeded(step: Step, vote: Vote): boolean {
    return isQuorum(this.set, step.verifiedPower.get(vote.blockHash) ?? 0n) && !this.contradicts(step, vote)
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
    const byValue = new Map<string, WaitingVote[]>()
    for (const entry of waiting) {
      const group = byValue.get(entry.vote.blockHash)
      if (group) group.push(entry)
      else byValue.set(entry.vote.blockHash, [entry])
    }
    for (const group of byValue.values()) this.verify(step, group, currentRound)
  }

  private verify(step: Step, group: WaitingVote[], currentRound: Round): void {
    const generation = this.generation
    step.checking++
    const signed = group.map(({ vote }) => ({
      key: this.set.members[vote.member]!.publicKey,
      signature: vote.signature,
    }))
    this.ports.verifier.verify({ digest: voteDigest(this.ports.domain, group[0]!.vote), signed }).then(verdicts => {
      if (generation !== this.generation) return
      const verified: Verified<Vote>[] = []
      group.forEach(({ vote, from }, i) => {
        if (verdicts[i]) {
          if (this.addVerified(step, vote)) verified.push(asVerified(vote))
        } else {
          this.hear(step, vote.member, -1)
          this.ports.onForged(vote, from)
        }
      })
      step.checking--
      if (verified.length > 0) this.ports.onVerified(verified)
      if (generation !== this.generation) return
      step.waiting = step.waiting.filter(({ vote }) => !step.verified.has(identityOf(vote)))
      for (const entry of step.waiting.filter(({ vote }) => this.isUnneeded(step, vote)))
        step.unneeded.set(entry.vote.member, entry)
      step.waiting = step.waiting.filter(({ vote }) => !this.isUnneeded(step, vote))
      this.flushIfDecisive(step, group[0]!.vote.round, currentRound)
    }, this.ports.onFailure)
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

  private stepOf({ round, step }: Vote): Step {
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
      }
      this.steps.set(key, found)
    }
    return found
  }
}

const identityOf = ({ member, blockHash }: Vote): string => `${member}/${blockHash}`
