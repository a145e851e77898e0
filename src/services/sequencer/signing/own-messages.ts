import { zeroHash } from '../../../base/primitives/hashes.js'
import type { Height, MemberIndex } from '../../../base/primitives/quantities.js'
import type { Proposal } from '../../../base/protocol/proposal.js'
import { isNil, precommit, type Vote } from '../../../base/protocol/vote.js'
import type { ConsensusSigner, ProposalContent } from '../../../io/keys/consensus-signer.js'
import { SignerRefusal } from '../../../io/keys/signer-refusal.js'
import type { AppendLog } from '../../../io/storage/append-log.js'
import { StorageError } from '../../../io/storage/storage-error.js'
import type { Logger } from '../../../io/telemetry/logger.js'
import type { ConsensusOutput } from '../../../rules/consensus/core-messages.js'
import { asVerified, type Verified } from '../../../rules/consensus/verified.js'
import type { Application } from '../application.js'
import type { HeightProgress } from '../explain/height-progress.js'

/** After how long a message that could not be signed, and was not refused, is tried again. */
const retryMs = 250

const noExtension = new Uint8Array(0)

/** A vote that the core asks for. */
type VoteRequest = Pick<Extract<ConsensusOutput, { type: 'sign-vote' }>, 'content' | 'polkaRound'>

export interface OwnMessagesPorts {
  readonly wal: Pick<AppendLog, 'sync'>
  readonly signer: ConsensusSigner
  readonly application: Pick<Application, 'extendVote'>
  readonly progress: HeightProgress
  readonly logger: Logger
  /** The height in progress; null once the engine has stopped. */
  readonly height: () => Height | null
  /** Runs the task later, unless the height ends before. */
  readonly later: (delayMs: number, task: () => void) => void
  readonly onProposal: (proposal: Verified<Proposal>) => void
  readonly onVote: (vote: Verified<Vote>) => void
  /** The log is lost to this run: nothing will be signed any more. */
  readonly onFatal: (error: unknown) => void
  /** The height was decided without it; it still tells the others that this node is up. */
  readonly onLateVote: (vote: Vote) => void
}

/**
 * Signs what the core asks for. The log is synced before anything is signed: then a crash leaves what the message follows
 * from, replay comes to the same message, and the signer signs that one again. Were it synced later, a node could come back
 * to another message than its signer remembers, and be mute; enough of them halt.
 */
export class OwnMessages {
  /** Why the last message was not signed, if it is tried again: that is told once, not at each try. */
  private failure: string | null = null

  constructor(private readonly ports: OwnMessagesPorts) {}

  async signProposal(content: ProposalContent, member: MemberIndex): Promise<void> {
    const { wal, signer, onProposal } = this.ports
    try {
      await wal.sync()
      const signature = await signer.signProposal(content)
      this.signed()
      if (content.height === this.ports.height()) onProposal(asVerified({ ...content, proposer: member, signature }))
    } catch (error) {
      this.onUnsigned({ kind: 'proposal', content, error, again: () => void this.signProposal(content, member) })
    }
  }

  async signVote(asked: VoteRequest, member: MemberIndex): Promise<void> {
    const { content, polkaRound } = asked
    const { wal, signer, application, onVote, onLateVote } = this.ports
    try {
      await wal.sync()
      const signature = await signer.signVote({ ...content, polkaRound })
      this.signed()
      const { height, step, blockHash } = content
      const current = this.ports.height()
      if (current === null) return
      if (height !== current) return onLateVote({ ...content, member, signature, extension: noExtension })
      const isExtended = step === precommit && !isNil(blockHash)
      const extension = isExtended ? application.extendVote({ height }) : noExtension
      onVote(asVerified<Vote>({ ...content, member, signature, extension }))
    } catch (error) {
      if (error instanceof SignerRefusal && error.code === 'LOCKED') return this.signNil(asked, member)
      this.onUnsigned({ kind: 'vote', content, error, again: () => void this.signVote(asked, member) })
    }
  }

  /** The key is locked on a block that this node's log does not know: nil contradicts no lock, and the round can end. */
  private signNil({ content, polkaRound }: VoteRequest, member: MemberIndex): Promise<void> {
    const { height, round, blockHash } = content
    this.ports.logger.warn('prevote for nil: the key is locked on another block', { height, round, blockHash })
    return this.signVote({ content: { ...content, blockHash: zeroHash }, polkaRound }, member)
  }

  /** A refusal stands. What else failed (a full disk) is tried again: without this node's vote there may be no quorum. */
  private onUnsigned({
    kind,
    content,
    error,
    again,
  }: {
    kind: 'proposal' | 'vote'
    content: Pick<Vote, 'height' | 'round'>
    error: unknown
    again: () => void
  }): void {
    const { progress, signer, logger, height, later, onFatal } = this.ports
    if (error instanceof StorageError && error.code === 'STORE_FAILED') return onFatal(error)
    progress.signerRefused(kind, content, error)
    const isOver = content.height !== height()
    const isTriedAgain = !isOver && !(error instanceof SignerRefusal)
    // A signer that has stopped has said so, once; a height that was decided while the signer was asked needs no vote.
    const isToBeTold = signer.stop === null && !isOver && String(error) !== this.failure
    logger[isToBeTold ? 'error' : 'debug'](`a ${kind} was not signed`, { ...content, error })
    if (!isTriedAgain) return
    this.failure = String(error)
    later(retryMs, again)
  }

  private signed(): void {
    this.failure = null
    this.ports.progress.signerAnswered()
  }
}
