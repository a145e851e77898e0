import type { Height, Power, Round } from '../../base/primitives/quantities.js'
import { isOneHonest, isQuorum, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { type Vote, voteDigest } from '../../base/protocol/vote.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { PeerId } from '../../io/network/peer-network.js'
import { asVerified, type Verified } from '../../rules/consensus/verified.js'

interface WaitingVote {
  readonly vote: Vote
  readonly from: PeerId
}

/** Votes of one (round, step): who said something already, and what still waits for its signature check. */
interface Step {
  readonly seen: Map<string, Power>
  power: Power
  readonly membersCounted: Set<number>
  waiting: WaitingVote[]
  readonly verifiedPower: Map<string, Power>
}

/** Rounds beyond the next two for which one member's votes are kept: memory stays bounded, and one third still shows (L55). */
const maxFarRounds = 8

/**
 * Checks votes before the core sees them. No rule of the algorithm fires on fewer votes of a step than a quorum of any
 * values (or more than one third, for a later round), so votes wait until then and those for one value are checked
 * together: one pairing a step, however many sequencers there are.
 */
export class VoteDoor {
  private steps = new Map<string, Step>()
  private farRounds = new Map<number, Set<Round>>()
  private generation = 0

  constructor(
    private readonly ports: {
      readonly verifier: SignatureVerifier
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
    if (vote.round > currentRound + 2 && !this.mayKeepFar(vote)) return
    const step = this.stepOf(vote)
    const identity = `${vote.member}/${vote.blockHash}`
    if (step.seen.has(identity)) return
    if (isQuorum(this.set, step.verifiedPower.get(vote.blockHash) ?? 0n)) return
    // Two values by one member are an equivocation to report; more are noise.
    if ([...step.seen.keys()].filter(key => key.startsWith(`${vote.member}/`)).length >= 2) return
    step.seen.set(identity, member.power)
    this.count(step, vote.member, member.power)
    step.waiting.push({ vote, from })
    this.flushIfDecisive(step, vote.round, currentRound)
  }

  /** Counts a vote that needs no check: this node's own. */
  countOwn(vote: Vote, currentRound: Round): void {
    const member = this.set.members[vote.member]
    if (!member || vote.height !== this.height) return
    const step = this.stepOf(vote)
    step.seen.set(`${vote.member}/${vote.blockHash}`, member.power)
    this.count(step, vote.member, member.power)
    this.addVerified(step, vote)
    this.flushIfDecisive(step, vote.round, currentRound)
  }

  private mayKeepFar({ member, round }: Vote): boolean {
    const rounds = this.farRounds.get(member) ?? new Set<Round>()
    this.farRounds.set(member, rounds)
    if (!rounds.has(round) && rounds.size >= maxFarRounds) return false
    rounds.add(round)
    return true
  }

  private count(step: Step, member: number, power: Power): void {
    if (step.membersCounted.has(member)) return
    step.membersCounted.add(member)
    step.power += power
  }

  private flushIfDecisive(step: Step, round: Round, currentRound: Round): void {
    if (step.waiting.length === 0) return
    if (!isQuorum(this.set, step.power) && !(round > currentRound && isOneHonest(this.set, step.power))) return
    const waiting = step.waiting
    step.waiting = []
    const byValue = new Map<string, WaitingVote[]>()
    for (const entry of waiting) {
      const group = byValue.get(entry.vote.blockHash)
      if (group) group.push(entry)
      else byValue.set(entry.vote.blockHash, [entry])
    }
    for (const group of byValue.values()) this.verify(step, group)
  }

  private verify(step: Step, group: WaitingVote[]): void {
    const generation = this.generation
    const signed = group.map(({ vote }) => ({
      key: this.set.members[vote.member]!.publicKey,
      signature: vote.signature,
    }))
    this.ports.verifier.verify({ digest: voteDigest(this.ports.domain, group[0]!.vote), signed }).then(verdicts => {
      if (generation !== this.generation) return
      const verified: Verified<Vote>[] = []
      group.forEach(({ vote, from }, i) => {
        if (verdicts[i]) {
          this.addVerified(step, vote)
          verified.push(asVerified(vote))
        } else {
          // The true vote of this member may still come from elsewhere.
          step.seen.delete(`${vote.member}/${vote.blockHash}`)
          this.ports.onForged(vote, from)
        }
      })
      if (verified.length > 0) this.ports.onVerified(verified)
    }, this.ports.onFailure)
  }

  private addVerified(step: Step, vote: Vote): void {
    const power = this.set.members[vote.member]!.power
    step.verifiedPower.set(vote.blockHash, (step.verifiedPower.get(vote.blockHash) ?? 0n) + power)
  }

  private stepOf({ round, step }: Vote): Step {
    const key = `${round}/${step}`
    let found = this.steps.get(key)
    if (!found) {
      found = { seen: new Map(), power: 0n, membersCounted: new Set(), waiting: [], verifiedPower: new Map() }
      this.steps.set(key, found)
    }
    return found
  }
}
