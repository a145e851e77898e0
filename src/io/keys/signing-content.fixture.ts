import type { Hash32 } from '../../base/primitives/hashes.js'
import type { VoteContent, VoteStep } from '../../base/protocol/vote.js'
import type { ProposalContent } from './consensus-signer.js'

/** A hash that tells its number. */
export const hash = (n: number): Hash32 => `0x${n.toString(16).padStart(64, '0')}`

/** What a vote for the numbered block says. */
export const vote = (height: number, round: number, step: VoteStep, block = 1): VoteContent => ({
  height,
  round,
  step,
  blockHash: hash(block),
})

/** What a proposal of the numbered block says. */
export const proposal = (height: number, round: number, block = 1, validRound = -1): ProposalContent => ({
  height,
  round,
  validRound,
  blockHash: hash(block),
})
