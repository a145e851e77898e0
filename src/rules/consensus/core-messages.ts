import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Vote, VoteContent } from '../../base/protocol/vote.js'
import type { VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import type { TimeoutParameters } from './timeouts.js'
import type { Verified } from './verified.js'

/** The step of a round in which a timeout runs (arXiv 1807.04938, Algorithm 1). */
export type TimeoutStep = 'propose' | 'prevote' | 'precommit'

/** Everything that can happen to the core. The write-ahead log is a list of these. */
export type ConsensusInput =
  /**
   * Begins a height: waits in round 0 without a timer until there is work. `self` is this node's index in the set, null
   * for none; when it or the parameters are left out, those that the core was created with hold.
   */
  | {
      readonly type: 'start-height'
      readonly height: Height
      readonly set: SequencerSet
      readonly self?: MemberIndex | null
      readonly parameters?: TimeoutParameters
    }
  /** There is something to put into a block (or an empty block is due): round 0 starts its clock or its proposal. */
  | { readonly type: 'work-available'; readonly height: Height }
  /** A proposal whose block body is at hand and hashes to `blockHash`; from peers or, once signed, from this node. */
  | { readonly type: 'proposal'; readonly proposal: Verified<Proposal> }
  /**
   * The application's answer to 'validate'. `valid` is what the chain's rules alone say: a quorum for a block that is not
   * valid stops the node. `acceptable: false` says that this node's own view (its clock, its L1 endpoint) is against the
   * block: the node does not prevote it when it is new, yet follows a quorum that does (the `timely` of PBTS). Left out: true.
   */
  | {
      readonly type: 'validated'
      readonly height: Height
      readonly blockHash: BlockHash
      readonly valid: boolean
      readonly acceptable?: boolean
    }
  /** The application's answer to 'prepare-proposal'. */
  | { readonly type: 'prepared'; readonly height: Height; readonly round: Round; readonly blockHash: BlockHash }
  /** Votes of peers, or of this node once signed. */
  | { readonly type: 'votes'; readonly votes: readonly Verified<Vote>[] }
  /** Votes whose signatures were checked as one sum; of a round that was reached. */
  | { readonly type: 'aggregate'; readonly aggregate: Verified<VoteAggregate> }
  | { readonly type: 'timeout'; readonly height: Height; readonly round: Round; readonly step: TimeoutStep }

/** Everything that the core asks for. */
export type ConsensusOutput =
  /** Ask the application for a block for this round; answered by 'prepared'. */
  | { readonly type: 'prepare-proposal'; readonly height: Height; readonly round: Round }
  /** Sign and broadcast; the signed proposal comes back as an input. */
  | { readonly type: 'sign-proposal'; readonly content: Omit<Proposal, 'proposer' | 'signature'> }
  /** Sign and broadcast; the signed vote comes back as an input. `polkaRound`: of a prevote, the last round with a polka for its block, else -1. */
  | { readonly type: 'sign-vote'; readonly content: VoteContent; readonly polkaRound: Round | -1 }
  /** Ask the application whether the block is valid; answered by 'validated'. */
  | { readonly type: 'validate'; readonly height: Height; readonly round: Round; readonly blockHash: BlockHash }
  | {
      readonly type: 'schedule-timeout'
      readonly height: Height
      readonly round: Round
      readonly step: TimeoutStep
      readonly delayMs: number
    }
  | { readonly type: 'round-started'; readonly height: Height; readonly round: Round }
  /** A quorum precommitted a valid block; nothing more comes out of this height. */
  | {
      readonly type: 'decide'
      readonly height: Height
      readonly round: Round
      readonly blockHash: BlockHash
      readonly certificate: QuorumCertificate
    }
  /** Two different signed messages of one member for one (height, round, step); a vote out of an aggregate may lack its own signature. */
  | { readonly type: 'equivocation'; readonly first: Vote | Proposal; readonly second: Vote | Proposal }
