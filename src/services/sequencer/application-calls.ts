import { InvariantError } from '../../base/primitives/invariant.js'
import type { Height, Round } from '../../base/primitives/quantities.js'
import type { Block } from '../../base/protocol/block.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { isNil, precommit, type Vote } from '../../base/protocol/vote.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { ConsensusOutput } from '../../rules/consensus/core-messages.js'
import type { Application } from './application.js'
import type { HeightProgress } from './explain/height-progress.js'
import type { InputLog } from './wal/input-log.js'
import type { LoggedInput } from './wal/wal-record.js'

type Asked<Type extends ConsensusOutput['type']> = Extract<ConsensusOutput, { type: Type }>

export interface ApplicationCallsPorts {
  readonly application: Omit<Application, 'extendVote'>
  /** What the height's inputs name. */
  readonly log: Pick<InputLog, 'block' | 'proposal'>
  readonly progress: HeightProgress
  readonly logger: Logger
  /** Takes an answer as an input of consensus. */
  readonly feed: (input: LoggedInput, block?: Block) => void
  /** Runs the task later, unless the height ends before. */
  readonly later: (delayMs: number, task: () => void) => void
  readonly onFatal: (error: unknown) => void
}

/** After how long a proposal that could not be judged is put to the application again: a later round may propose it again. */
const judgeAgainMs = 500

/**
 * Puts to the application what the core asks of it; answers come back as inputs. A proposal that cannot be built or judged
 * costs this node's word, not the height; a decided block that cannot be made the head ends the node.
 */
export class ApplicationCalls {
  constructor(private readonly ports: ApplicationCallsPorts) {}

  async prepare({ height, round }: { height: Height; round: Round }): Promise<void> {
    const { application, progress, logger, feed } = this.ports
    try {
      const block = await application.prepareProposal({ height, round })
      feed({ type: 'prepared', height, round, blockHash: block.hash }, block)
    } catch (error) {
      progress.buildFailed(error)
      logger.error('no proposal could be built', { height, round, error })
    }
  }

  async validate(asked: Asked<'validate'>): Promise<void> {
    const { height, round, blockHash } = asked
    const { application, log, progress, logger, feed, later, onFatal } = this.ports
    const block = log.block(blockHash)
    const proposal = log.proposal(round, blockHash)
    if (!block || !proposal)
      return onFatal(new InvariantError('validate asked for an unknown block', { height, round, blockHash }))
    try {
      const verdict = await application.processProposal({ proposal, block })
      if (!verdict.ok) {
        // One that comes again with a polka is voted for all the same.
        const isOverruled = proposal.validRound >= 0 && verdict.error.blame === 'own-view'
        if (!isOverruled)
          progress.proposalRefused({ height, round, proposer: proposal.proposer, blockHash, ...verdict.error })
        logger.warn(isOverruled ? 'a proposal with a polka is against this node’s own view' : 'proposal refused', {
          height,
          round,
          blockHash,
          ...verdict.error,
        })
        // Nothing is logged as its verdict: with that version at hand the node judges it after a restart.
        if (verdict.error.blame === 'own-version') return
      }
      const valid = verdict.ok || verdict.error.blame === 'own-view'
      feed({ type: 'validated', height, blockHash, valid, acceptable: verdict.ok })
    } catch (error) {
      const refusal = { reason: 'not-judged', detail: String(error), blame: 'own-view' } as const
      progress.proposalRefused({ height, round, proposer: proposal.proposer, blockHash, ...refusal })
      logger.error('a proposal could not be judged', { height, round, blockHash, error })
      later(judgeAgainMs, () => void this.validate(asked))
    }
  }

  passExtension(set: SequencerSet, { step, blockHash, member, extension }: Vote): void {
    if (step !== precommit || isNil(blockHash) || extension.length === 0) return
    this.ports.application.verifyVoteExtension({ set, member, extension })
  }

  async finalize({ certificate, blockHash, round }: Asked<'decide'>): Promise<void> {
    const { application, log, logger, onFatal } = this.ports
    const block = log.block(blockHash)
    if (!block) return onFatal(new InvariantError('the decided block is not at hand', { blockHash }))
    logger.debug('block decided', { height: block.header.number, round, blockHash })
    try {
      await application.finalizeBlock({ block, certificate })
    } catch (error) {
      onFatal(error)
    }
  }
}
