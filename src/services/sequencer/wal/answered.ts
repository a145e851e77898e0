import type { MemberIndex } from '../../../base/primitives/quantities.js'
import type { Vote } from '../../../base/protocol/vote.js'
import type { ConsensusOutput } from '../../../rules/consensus/core-messages.js'
import type { LoggedInput } from './wal-record.js'

/** Whether an input is the answer to what the core asked for: after a crash, what has none is done again. */
export function isAnswered(output: ConsensusOutput, input: LoggedInput, self: MemberIndex | null): boolean {
  switch (output.type) {
    case 'prepare-proposal':
      return input.type === 'prepared' && input.round === output.round
    case 'sign-proposal':
      return (
        input.type === 'proposal' && input.proposal.round === output.content.round && input.proposal.proposer === self
      )
    case 'sign-vote':
      return votesOf(input).some(
        vote => vote.member === self && vote.round === output.content.round && vote.step === output.content.step,
      )
    case 'validate':
      return input.type === 'validated' && input.blockHash === output.blockHash
    case 'schedule-timeout':
      return input.type === 'timeout' && input.round === output.round && input.step === output.step
    default:
      return false
  }
}

function votesOf(input: LoggedInput): readonly Vote[] {
  if (input.type === 'aggregate') return input.aggregate.votes
  return input.type === 'votes' ? input.votes : []
}
