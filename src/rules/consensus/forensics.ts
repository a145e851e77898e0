import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex, Power, Round } from '../../base/primitives/quantities.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import { isQuorum, powerOf, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import { isNil, precommit, prevote, type Vote, type VoteStep } from '../../base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import type { VerifiedMessages } from './signed-messages.js'

/** How a member broke the protocol (spec/evidence.md). */
export type Offence =
  /** Two votes in one round and step. */
  | 'double-vote'
  /** Two proposals in one round. */
  | 'double-proposal'
  /** Prevoted another block than the one that it had precommitted before, without a polka that unlocks it. */
  | 'amnesia'
  /** Precommitted a block that had no polka in that round. */
  | 'unjustified-precommit'

/** One message of a proof. A certificate proves the precommit of each of its signers, an aggregate the vote of each of its members. */
export type ProofMessage =
  | { readonly type: 'vote'; readonly vote: Vote }
  | { readonly type: 'aggregate'; readonly aggregate: VoteAggregate }
  | { readonly type: 'proposal'; readonly proposal: Proposal }
  | { readonly type: 'certificate'; readonly certificate: QuorumCertificate }

/** A polka that would justify what a member did. */
export interface Justification {
  readonly blockHash: BlockHash
  /** It may lie in any of these rounds, both included. */
  readonly fromRound: Round
  readonly toRound: Round
}

/** What a member did against the protocol. */
export interface Finding {
  readonly member: MemberIndex
  readonly offence: Offence
  /** The round of the later message. */
  readonly round: Round
  readonly proof: readonly ProofMessage[]
  /** The prevotes that would clear the member, which it must have logged if it is honest; null when nothing can. */
  readonly clearedBy: Justification | null
}

/** A block that a quorum precommitted. */
export interface Commit {
  readonly round: Round
  readonly blockHash: BlockHash
}

/** What the messages of one height tell. */
export interface ForensicReport {
  readonly height: Height
  /** By round; agreement broke when they name two blocks. */
  readonly commits: readonly Commit[]
  readonly isFork: boolean
  /** Proven: one finding per member and offence, the earliest. */
  readonly culprits: readonly Finding[]
  /** Who must show the prevotes that clear it: after a fork, when the messages may be incomplete. */
  readonly accused: readonly Finding[]
  /** Power of the culprits together. */
  readonly power: Power
}

/**
 * Names who broke the protocol at a height. Contradictions prove themselves. Amnesia and unjustified precommits are seen
 * by what is missing, so they are proven only when nothing of an honest member is: `isComplete` says that the messages
 * hold all that the honest members logged at this height. Then a fork gives culprits of more than a third of the power;
 * with or without it nobody honest is among the culprits. Argument and proof: spec/evidence.md.
 */
export function investigate({
  height,
  messages,
  set,
  isComplete,
}: {
  height: Height
  messages: VerifiedMessages
  set: SequencerSet
  isComplete: boolean
}): ForensicReport {
  const record = new HeightRecord(set, messages)
  const commits = record.quorums(precommit)
  const isFork = new Set(commits.map(({ blockHash }) => blockHash)).size > 1
  const contradictions = [...record.doubleVotes(), ...doubleProposals(messages.proposals)]
  const unjustified = isComplete || isFork ? [...record.unjustifiedPrecommits(), ...record.amnesia()] : []
  const culprits = earliest(isComplete ? [...contradictions, ...unjustified] : contradictions)
  const named = new Set(culprits.map(({ member }) => member))
  const accused = isComplete ? [] : earliest(unjustified)
  return { height, commits, isFork, culprits, accused, power: powerOf(set, named) }
}

/** Who said what in one round and step, each with the message that proves it. */
interface Slot {
  readonly round: Round
  readonly step: VoteStep
  readonly values: Map<BlockHash, Map<MemberIndex, ProofMessage>>
}

/** The votes of one height, those in aggregates and certificates included. */
class HeightRecord {
  private readonly slots: readonly Slot[]
  /** Rounds in which each block had a polka, ascending. */
  private readonly polkas = new Map<BlockHash, Round[]>()

  constructor(
    private readonly set: SequencerSet,
    messages: VerifiedMessages,
  ) {
    const slots = new Map<string, Slot>()
    const add = (vote: Pick<Vote, 'round' | 'step' | 'blockHash'>, member: MemberIndex, proof: ProofMessage) => {
      const key = `${vote.round} ${vote.step}`
      const slot = slots.get(key) ?? { round: vote.round, step: vote.step, values: new Map() }
      slots.set(key, slot)
      const members = slot.values.get(vote.blockHash) ?? new Map<MemberIndex, ProofMessage>()
      slot.values.set(vote.blockHash, members)
      if (!members.has(member)) members.set(member, proof)
    }
    for (const vote of messages.votes) add(vote, vote.member, { type: 'vote', vote })
    for (const aggregate of messages.aggregates)
      for (const { member } of aggregate.votes) add(contentOf(aggregate), member, { type: 'aggregate', aggregate })
    for (const certificate of messages.certificates)
      for (const { index } of set.members)
        if (((certificate.absent >> BigInt(index)) & 1n) === 0n)
          add({ ...certificate, step: precommit }, index, { type: 'certificate', certificate })
    this.slots = [...slots.values()].sort((a, b) => a.round - b.round || a.step - b.step)
    for (const { round, blockHash } of this.quorums(prevote)) {
      const rounds = this.polkas.get(blockHash)
      if (rounds) rounds.push(round)
      else this.polkas.set(blockHash, [round])
    }
  }

  /** Blocks with more than two thirds of the power in a round, by round. */
  quorums(step: VoteStep): Commit[] {
    return this.blockVotes(step).flatMap(({ round, blockHash, members }) =>
      isQuorum(this.set, powerOf(this.set, members.keys())) ? [{ round, blockHash }] : [],
    )
  }

  doubleVotes(): Finding[] {
    return this.slots.flatMap(({ round, values }) => {
      const first = new Map<MemberIndex, ProofMessage>()
      const findings: Finding[] = []
      for (const [, members] of [...values].sort(byHash))
        for (const [member, proof] of members) {
          const other = first.get(member)
          if (other) findings.push({ member, offence: 'double-vote', round, proof: [other, proof], clearedBy: null })
          else first.set(member, proof)
        }
      return findings
    })
  }

  unjustifiedPrecommits(): Finding[] {
    return this.blockVotes(precommit).flatMap(({ round, blockHash, members }) => {
      if (this.polkas.get(blockHash)?.includes(round)) return []
      const clearedBy = { blockHash, fromRound: round, toRound: round }
      return [...members].map(
        ([member, proof]): Finding => ({ member, offence: 'unjustified-precommit', round, proof: [proof], clearedBy }),
      )
    })
  }

  /** The latest precommit of another block is the one that leaves the fewest rounds for a justification. */
  amnesia(): Finding[] {
    const findings: Finding[] = []
    const locks = new Map<MemberIndex, { latest: Lock; before: Lock | null }>()
    for (const { round, step, values } of this.slots)
      for (const [blockHash, members] of [...values].sort(byHash)) {
        if (isNil(blockHash)) continue
        for (const [member, proof] of members) {
          const held = locks.get(member)
          if (step === precommit) {
            const before = held && held.latest.blockHash !== blockHash ? held.latest : (held?.before ?? null)
            locks.set(member, { latest: { round, blockHash, proof }, before })
            continue
          }
          const lock = held && (held.latest.blockHash === blockHash ? held.before : held.latest)
          if (!lock || this.hasPolka(blockHash, lock.round, round - 1)) continue
          const clearedBy = { blockHash, fromRound: lock.round, toRound: round - 1 }
          findings.push({ member, offence: 'amnesia', round, proof: [lock.proof, proof], clearedBy })
        }
      }
    return findings
  }

  private hasPolka(blockHash: BlockHash, from: Round, to: Round): boolean {
    return (this.polkas.get(blockHash) ?? []).some(round => from <= round && round <= to)
  }

  /** Votes for blocks in one step, by round and hash. */
  private blockVotes(step: VoteStep) {
    return this.slots
      .filter(slot => slot.step === step)
      .flatMap(({ round, values }) =>
        [...values]
          .filter(([blockHash]) => !isNil(blockHash))
          .sort(byHash)
          .map(([blockHash, members]) => ({ round, blockHash, members })),
      )
  }
}

interface Lock extends Commit {
  readonly proof: ProofMessage
}

function doubleProposals(proposals: readonly Proposal[]): Finding[] {
  const first = new Map<string, Proposal>()
  const ordered = [...proposals].sort(
    (a, b) =>
      a.round - b.round ||
      (a.blockHash < b.blockHash ? -1 : a.blockHash > b.blockHash ? 1 : 0) ||
      a.validRound - b.validRound,
  )
  return ordered.flatMap((proposal): Finding[] => {
    const { round, proposer } = proposal
    const key = `${round} ${proposer}`
    const other = first.get(key)
    first.set(key, other ?? proposal)
    if (!other || (other.blockHash === proposal.blockHash && other.validRound === proposal.validRound)) return []
    const proof: ProofMessage[] = [
      { type: 'proposal', proposal: other },
      { type: 'proposal', proposal },
    ]
    return [{ member: proposer, offence: 'double-proposal', round, proof, clearedBy: null }]
  })
}

/** One finding per member and offence, by member. */
function earliest(findings: readonly Finding[]): Finding[] {
  const kept = new Map<string, Finding>()
  for (const finding of findings) {
    const key = `${finding.member} ${finding.offence}`
    const other = kept.get(key)
    if (!other || finding.round < other.round) kept.set(key, finding)
  }
  return [...kept.values()].sort((a, b) => a.member - b.member)
}

const byHash = ([a]: readonly [BlockHash, unknown], [b]: readonly [BlockHash, unknown]) => (a < b ? -1 : a > b ? 1 : 0)
