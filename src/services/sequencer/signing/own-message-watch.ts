import { DecodeError } from '../../../base/encoding/decode-error.js'
import { MorphismError } from '../../../base/primitives/morphism-error.js'
import type { MemberIndex } from '../../../base/primitives/quantities.js'
import { decodeAttestation } from '../../../base/protocol/batch-attestation.js'
import type { Proposal } from '../../../base/protocol/proposal.js'
import { memberByKey, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { Vote } from '../../../base/protocol/vote.js'
import type { ConsensusSigner, Observation, ObservedMessage } from '../../../io/keys/consensus-signer.js'
import type { PeerId } from '../../../io/network/peer-network.js'
import type { Logger } from '../../../io/telemetry/logger.js'

/** Own votes of one message that are looked at; a peer that helps sends those of five rounds. */
const maxVotes = 16
/** Attestations in own votes that are looked at in one height: a vote's signature does not cover them. */
const maxAttestations = 8

/**
 * Shows the signer what peers say it signed. Costs little whoever lies: one message of a peer is looked at at a time, the
 * signer checks a signature only when its record does not know the message, and a forged vote ends the connection.
 */
export class OwnMessageWatch {
  /** This node's index in the set, or null. */
  member: MemberIndex | null = null
  private readonly busy = new Set<PeerId>()
  private attestations = 0

  constructor(
    private readonly ports: {
      readonly signer: Pick<ConsensusSigner, 'publicKey' | 'observe'>
      readonly logger: Logger
      readonly onForged: (from: PeerId, detail: string) => void
    },
  ) {}

  startHeight(set: SequencerSet): void {
    this.member = memberByKey(set, this.ports.signer.publicKey)?.index ?? null
    this.attestations = 0
  }

  /** Looks at votes of the member that this node is. Who brings them in an aggregate need not have checked each. */
  async lookAt(
    votes: readonly Vote[],
    { from, isToBlame }: { readonly from: PeerId; readonly isToBlame: boolean },
  ): Promise<void> {
    if (this.busy.has(from)) return
    this.busy.add(from)
    try {
      for (const vote of votes.slice(0, maxVotes)) {
        const { height, round, step, blockHash, signature } = vote
        const seen = await this.show({ kind: 'vote', content: { height, round, step, blockHash }, signature })
        if (seen === 'forged') {
          if (isToBlame) this.ports.onForged(from, `own vote, height ${height}, round ${round}`)
          return
        }
        await this.lookAtExtension(vote)
      }
    } finally {
      this.busy.delete(from)
    }
  }

  async lookAtProposal({ height, round, validRound, blockHash, signature }: Proposal): Promise<void> {
    await this.show({ kind: 'proposal', content: { height, round, validRound, blockHash }, signature })
  }

  private async lookAtExtension({ extension }: Vote): Promise<void> {
    if (extension.length === 0 || this.attestations >= maxAttestations) return
    this.attestations++
    try {
      const { batchIndex, batchHash, signature } = decodeAttestation(extension)
      await this.show({ kind: 'attestation', content: { batchIndex, batchHash }, signature })
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }

  /** Null when the signer could not look: what it did not see it will see again. */
  private async show(message: ObservedMessage): Promise<Observation | null> {
    try {
      return await this.ports.signer.observe(message)
    } catch (error) {
      if (!(error instanceof MorphismError)) throw error
      this.ports.logger.debug('the signer could not look at a message of its key', { error })
      return null
    }
  }
}
