import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { Vote, VoteContent } from '../../base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import type { ConsensusInput, ConsensusOutput, TimeoutStep } from './core-messages.js'
import { RoundMachine } from './round-machine.js'
import type { TimeoutParameters } from './timeouts.js'
import type { Verified } from './verified.js'

/** Where a height stands, for status, explanation and tests. */
export interface ConsensusState {
  readonly height: Height
  readonly round: Round
  readonly step: TimeoutStep
  /** Round 0 waits for work. */
  readonly waiting: boolean
  readonly decided: boolean
  /** The member who proposes in this round. */
  readonly proposer: MemberIndex
  readonly lockedRound: Round | -1
  readonly lockedValue: BlockHash | null
  readonly validRound: Round | -1
  readonly validValue: BlockHash | null
}

/** The messages of one round that are known here. */
export interface RoundMessages {
  readonly proposals: readonly Verified<Proposal>[]
  /** Votes whose own signature was checked, without those of other members in an aggregate for the same value. */
  readonly prevotes: readonly Verified<Vote>[]
  readonly precommits: readonly Verified<Vote>[]
  /** Votes of both steps whose signatures were checked as sums. */
  readonly aggregates: readonly Verified<VoteAggregate>[]
}

/** Tendermint as data in, data out: synchronous, without clock or I/O; the same inputs give the same outputs. */
export interface ConsensusCore {
  /** Takes one input; inputs of another height than the one begun are ignored. @throws InvariantError when a quorum precommitted an invalid block */
  step(input: ConsensusInput): ConsensusOutput[]
  /** Null before the first height. */
  readonly state: ConsensusState | null
  /** Messages to send again to a peer that lacks them; a proposal with a validRound needs the prevotes of that round too. */
  messagesOf(height: Height, round: Round): RoundMessages
  /** Whether a vote of a round that was reached is not counted and would be, so that it should come again. */
  lacks(vote: Vote): boolean
  /** Whether more than two thirds of the power are counted for this in a round that was reached. */
  hasQuorumFor(content: VoteContent): boolean
  /** Whether a member that voted for something else already would count for this, in a round that was reached. */
  countsAsSecond(content: VoteContent): boolean
}

const noMessages: RoundMessages = { proposals: [], prevotes: [], precommits: [], aggregates: [] }

/** A core whose node is the member `self` of the sets it is given (null only watches) unless 'start-height' says otherwise, as of the parameters. */
export function createConsensusCore({
  self,
  parameters,
}: {
  self: MemberIndex | null
  parameters: TimeoutParameters
}): ConsensusCore {
  let machine: RoundMachine | null = null

  const startHeight = (input: Extract<ConsensusInput, { type: 'start-height' }>): ConsensusOutput[] => {
    const { height, set } = input
    // Beginning a height twice would forget its locks.
    if (machine && height <= machine.height) return []
    machine = new RoundMachine({
      height,
      set,
      self: input.self === undefined ? self : input.self,
      parameters: input.parameters ?? parameters,
    })
    return machine.begin()
  }

  const keeperOf = ({ height, round, step }: VoteContent) =>
    machine?.height === height ? machine.known(round)?.keeperOf(step) : undefined

  return {
    step(input) {
      if (input.type === 'start-height') return startHeight(input)
      if (!machine || (heightOf(input) ?? machine.height) !== machine.height) return []
      return machine.handle(input)
    },
    get state() {
      if (!machine) return null
      const { height, round, step, waiting, decided, proposer } = machine
      const { lockedRound, lockedValue, validRound, validValue } = machine
      return { height, round, step, waiting, decided, proposer, lockedRound, lockedValue, validRound, validValue }
    },
    lacks: vote => keeperOf(vote)?.lacks(vote) ?? false,
    hasQuorumFor: content => keeperOf(content)?.hasQuorumFor(content.blockHash) ?? false,
    countsAsSecond: content => keeperOf(content)?.countsAsSecond(content.blockHash) ?? false,
    messagesOf(height, round) {
      const known = machine?.height === height ? machine.known(round) : undefined
      if (!machine || !known) return noMessages
      const { self } = machine
      const [prevotes, precommits] = [known.prevotes.signatures(self), known.precommits.signatures(self)]
      return {
        proposals: known.proposals(),
        prevotes: prevotes.votes,
        precommits: precommits.votes,
        aggregates: [...prevotes.aggregates, ...precommits.aggregates],
      }
    },
  }
}

/** The one height of an input; votes carry one each. */
function heightOf(input: Exclude<ConsensusInput, { type: 'start-height' }>): Height | null {
  switch (input.type) {
    case 'votes':
      return null
    case 'aggregate':
      return contentOf(input.aggregate).height
    case 'proposal':
      return input.proposal.height
    default:
      return input.height
  }
}
