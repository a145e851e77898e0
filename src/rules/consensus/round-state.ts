import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { prevote, type VoteStep } from '../../base/protocol/vote.js'
import type { Verified } from './verified.js'
import { VoteKeeper } from './vote-keeper.js'

/** What is known of one round: its messages, and which of the "for the first time" rules were applied. */
export class RoundState {
  readonly prevotes: VoteKeeper
  readonly precommits: VoteKeeper
  /** The application was asked for a block, or the valid one is proposed again. */
  proposalAsked = false
  /** The signer was asked for our proposal. */
  proposalSigned = false
  /** L34 was applied. */
  prevoteTimeoutScheduled = false
  /** L36 was applied. */
  polkaHandled = false
  /** L47 was applied. */
  precommitTimeoutScheduled = false

  private readonly byBlock = new Map<BlockHash, Verified<Proposal>>()
  private contradictionReported = false

  constructor(set: SequencerSet, isProposed: (blockHash: BlockHash) => boolean) {
    this.prevotes = new VoteKeeper(set, isProposed)
    this.precommits = new VoteKeeper(set, isProposed)
  }

  keeperOf(step: VoteStep): VoteKeeper {
    return step === prevote ? this.prevotes : this.precommits
  }

  /** The proposal that came first: the one that this node votes on. */
  get proposal(): Verified<Proposal> | undefined {
    for (const first of this.byBlock.values()) return first
    return undefined
  }

  /** All proposals that are kept. */
  proposals(): Verified<Proposal>[] {
    return [...this.byBlock.values()]
  }

  hasProposalFor(blockHash: BlockHash): boolean {
    return this.byBlock.has(blockHash)
  }

  /**
   * Keeps the first proposal, and another one only when more than a third of the power voted for its block, so that a
   * proposer of two blocks cannot hide the one that the network takes. Returns the first when this one contradicts it, once.
   */
  addProposal(proposal: Verified<Proposal>): Verified<Proposal> | null {
    const first = this.proposal
    if (!first || (!this.byBlock.has(proposal.blockHash) && this.isSupported(proposal.blockHash)))
      this.byBlock.set(proposal.blockHash, proposal)
    if (!first || this.contradictionReported) return null
    if (first.blockHash === proposal.blockHash && first.validRound === proposal.validRound) return null
    this.contradictionReported = true
    return first
  }

  private isSupported(blockHash: BlockHash): boolean {
    return this.prevotes.hasOneHonestFor(blockHash) || this.precommits.hasOneHonestFor(blockHash)
  }
}
