import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { Application, ProposalRefused } from './application.js'

/** A call of the application, or its answer, without what it carries. The names of calls are those of ABCI 2.0. */
export type ApplicationEvent =
  | { readonly event: 'prepareProposal'; readonly height: Height; readonly round: Round }
  | {
      readonly event: 'prepared'
      readonly height: Height
      readonly round: Round
      readonly blockHash: BlockHash
      /** Number of the block that was made. */
      readonly number: Height
    }
  | {
      readonly event: 'processProposal'
      readonly height: Height
      readonly round: Round
      /** The block that the proposal names, and the block that came with it. */
      readonly proposed: BlockHash
      readonly blockHash: BlockHash
      readonly number: Height
    }
  | {
      readonly event: 'processed'
      readonly height: Height
      readonly blockHash: BlockHash
      readonly verdict: 'accepted' | ProposalRefused['blame']
      /** Of a refusal. */
      readonly reason?: string
    }
  /** The call threw, and says nothing of the block. */
  | { readonly event: 'processFailed'; readonly height: Height; readonly blockHash: BlockHash }
  | { readonly event: 'extendVote'; readonly height: Height }
  | {
      readonly event: 'verifyVoteExtension'
      readonly member: MemberIndex
      readonly members: number
      readonly bytes: number
    }
  | {
      readonly event: 'finalizeBlock'
      readonly height: Height
      readonly blockHash: BlockHash
      readonly certified: { readonly height: Height; readonly blockHash: BlockHash }
    }
  | { readonly event: 'finalized' | 'finalizeFailed'; readonly height: Height }

/** The same application; `onEvent` is told of each call before it is made and of each answer before it is given. */
export function observeApplication(application: Application, onEvent: (event: ApplicationEvent) => void): Application {
  return {
    async prepareProposal(args) {
      onEvent({ event: 'prepareProposal', ...args })
      const block = await application.prepareProposal(args)
      onEvent({ event: 'prepared', ...args, blockHash: block.hash, number: block.header.number })
      return block
    },
    async processProposal(args) {
      const { proposal, block } = args
      const { height, round, blockHash: proposed } = proposal
      const { hash: blockHash } = block
      onEvent({ event: 'processProposal', height, round, proposed, blockHash, number: block.header.number })
      let verdict: Awaited<ReturnType<Application['processProposal']>>
      try {
        verdict = await application.processProposal(args)
      } catch (error) {
        onEvent({ event: 'processFailed', height, blockHash })
        throw error
      }
      onEvent({ event: 'processed', height, blockHash, ...verdictOf(verdict.ok ? null : verdict.error) })
      return verdict
    },
    extendVote(args) {
      onEvent({ event: 'extendVote', ...args })
      return application.extendVote(args)
    },
    verifyVoteExtension(args) {
      const { set, member, extension } = args
      onEvent({ event: 'verifyVoteExtension', member, members: set.members.length, bytes: extension.length })
      application.verifyVoteExtension(args)
    },
    async finalizeBlock(certifiedBlock) {
      const { block, certificate } = certifiedBlock
      const { number: height } = block.header
      const certified = { height: certificate.height, blockHash: certificate.blockHash }
      onEvent({ event: 'finalizeBlock', height, blockHash: block.hash, certified })
      try {
        await application.finalizeBlock(certifiedBlock)
      } catch (error) {
        onEvent({ event: 'finalizeFailed', height })
        throw error
      }
      onEvent({ event: 'finalized', height })
    },
  }
}

function verdictOf(refused: ProposalRefused | null) {
  return refused ? { verdict: refused.blame, reason: refused.reason } : ({ verdict: 'accepted' } as const)
}
