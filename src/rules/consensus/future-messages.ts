import type { MemberIndex, Power, Round } from '../../base/primitives/quantities.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import { isOneHonest, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Vote } from '../../base/protocol/vote.js'
import type { Verified } from './verified.js'

/** A message that moves consensus on. */
export type ConsensusMessage = Verified<Proposal> | Verified<Vote>

/** Whether the message is a vote. */
export const isVote = (message: ConsensusMessage): message is Verified<Vote> => 'step' in message

/** Future rounds that are kept of one member: the highest ones, since those show where it is. */
export const maxFutureRounds = 2
/** Messages of one kind that are kept of one member and round: two of them prove a contradiction. */
const maxOfOneKind = 2

/** Messages of rounds that this node has not reached, bounded per member; tells when a third of the power is ahead (L55). */
export class FutureMessages {
  private readonly byMember = new Map<MemberIndex, Map<Round, ConsensusMessage[]>>()
  private readonly power = new Map<Round, Power>()

  constructor(private readonly set: SequencerSet) {}

  /** The highest round in which more than a third of the power sent a message. */
  roundAhead: Round | null = null

  add(message: ConsensusMessage): void {
    const member = isVote(message) ? message.member : message.proposer
    let rounds = this.byMember.get(member)
    if (!rounds) {
      rounds = new Map()
      this.byMember.set(member, rounds)
    }
    const kept = rounds.get(message.round)
    if (kept) {
      const sameKind = kept.filter(other => kindOf(other) === kindOf(message))
      if (sameKind.length < maxOfOneKind && !sameKind.some(other => saysTheSame(other, message))) kept.push(message)
      return
    }
    rounds.set(message.round, [message])
    this.addPower(message.round, this.set.members[member]!.power)
    if (rounds.size > maxFutureRounds) this.drop(member, rounds, Math.min(...rounds.keys()))
    this.findRoundAhead()
  }

  /** Removes and returns what was kept for rounds up to this one. */
  takeUpTo(round: Round): ConsensusMessage[] {
    const taken: ConsensusMessage[] = []
    for (const [member, rounds] of this.byMember)
      for (const [at, messages] of rounds) {
        if (at > round) continue
        taken.push(...messages)
        this.drop(member, rounds, at)
      }
    this.findRoundAhead()
    return taken
  }

  private drop(member: MemberIndex, rounds: Map<Round, ConsensusMessage[]>, round: Round): void {
    rounds.delete(round)
    this.addPower(round, -this.set.members[member]!.power)
  }

  private addPower(round: Round, change: Power): void {
    const power = (this.power.get(round) ?? 0n) + change
    if (power === 0n) this.power.delete(round)
    else this.power.set(round, power)
  }

  private findRoundAhead(): void {
    this.roundAhead = null
    for (const [round, power] of this.power)
      if (isOneHonest(this.set, power) && (this.roundAhead === null || round > this.roundAhead)) this.roundAhead = round
  }
}

const kindOf = (message: ConsensusMessage): number => (isVote(message) ? message.step : 0)

const saysTheSame = (a: ConsensusMessage, b: ConsensusMessage): boolean =>
  a.blockHash === b.blockHash && (isVote(a) || isVote(b) || a.validRound === b.validRound)
