import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { Result } from '../../base/primitives/result.js'
import type { Block, CertifiedBlock } from '../../base/protocol/block.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'

/** Why the application refuses a proposal; named, for the log and for `explain`. */
export interface ProposalRefused {
  readonly reason: string
  readonly detail: string
  /**
   * Against the chain's rules; or only against this node's own view (its clock, its L1): then a quorum may still overrule it;
   * or it has another protocol version than the node: then there is no verdict, for the node may be the one that is wrong.
   */
  readonly blame: 'block' | 'own-view' | 'own-version'
}

/**
 * What a consensus engine asks of the chain: the five calls of ABCI 2.0, so that another engine (CometBFT) can stand in
 * place of ours.
 */
export interface Application {
  /** Builds and executes a block for the round (PrepareProposal). */
  prepareProposal(args: { height: Height; round: Round }): Promise<Block>
  /** Re-executes and judges a proposed block (ProcessProposal). */
  processProposal(args: { proposal: Proposal; block: Block }): Promise<Result<void, ProposalRefused>>
  /** Bytes that ride on this node's next precommit (ExtendVote); empty when there is nothing to say. */
  extendVote(args: { height: Height }): Uint8Array
  /** Takes the extension of a member's precommit (VerifyVoteExtension); a bad one is dropped, the precommit counts all the same. */
  verifyVoteExtension(args: { set: SequencerSet; member: MemberIndex; extension: Uint8Array }): void
  /** The block is decided: make it the head, durably (FinalizeBlock and Commit). */
  finalizeBlock(certified: CertifiedBlock): Promise<void>
}

/** Tells when there is something to put into a block. */
export interface WorkSource {
  /** Whether a block made now would carry anything. */
  hasWork(): boolean
  /** Called whenever `hasWork` may have become true. */
  onWork(listener: () => void): void
}
