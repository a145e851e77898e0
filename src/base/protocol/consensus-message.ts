import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpUint } from '../encoding/rlp-fields.js'
import type { Height, Round } from '../primitives/quantities.js'
import { type Block, type EncodedBlock, encodeBlock, readBlock } from './block.js'
import { decodeProposal, encodeProposal, type Proposal } from './proposal.js'
import { decodeVote, encodeVote, readVotes, type Vote } from './vote.js'
import { aggregateFields, readAggregate, type VoteAggregate } from './vote-aggregate.js'

/** What sequencers say to one another on the consensus channel. */
export type ConsensusMessage<Proposed = EncodedBlock> =
  | { readonly kind: 'proposal'; readonly proposal: Proposal; readonly block: Proposed }
  | { readonly kind: 'votes'; readonly votes: readonly Vote[] }
  /** Where the sender stands; the receiver answers with what the sender lacks. */
  | { readonly kind: 'status'; readonly height: Height; readonly round: Round; readonly hasProposal: boolean }
  /** The sender's own vote, which the receiver is asked to pass on in an aggregate. */
  | { readonly kind: 'relay'; readonly vote: Vote }
  | { readonly kind: 'aggregate'; readonly aggregate: VoteAggregate }

/** As it is sent: of a proposal the whole block may be at hand. */
export type OutgoingConsensusMessage = ConsensusMessage<Block | EncodedBlock>

const kinds = ['proposal', 'votes', 'status', 'relay', 'aggregate'] as const
/** Most votes in one message: both steps of a full set. */
export const maxVotesPerMessage = 512

export function encodeConsensusMessage(message: OutgoingConsensusMessage): Uint8Array {
  const kind = rlpUint(kinds.indexOf(message.kind))
  switch (message.kind) {
    case 'proposal':
      return encodeRlp([kind, encodeProposal(message.proposal), encodeBlock(message.block)])
    case 'votes':
      return encodeRlp([kind, message.votes.map(encodeVote)])
    case 'status':
      return encodeRlp([kind, rlpUint(message.height), rlpUint(message.round), rlpUint(message.hasProposal ? 1 : 0)])
    case 'relay':
      return encodeRlp([kind, encodeVote(message.vote)])
    case 'aggregate':
      return encodeRlp([kind, ...aggregateFields(message.aggregate)])
  }
}

/** @throws DecodeError */
export function decodeConsensusMessage(bytes: Uint8Array): ConsensusMessage {
  const fields = RlpFields.decode(bytes, 'consensus message')
  const message = readMessage(fields, kinds[Number(fields.uint(8))])
  fields.end()
  return message
}

function readMessage(fields: RlpFields, kind: ConsensusMessage['kind'] | undefined): ConsensusMessage {
  switch (kind) {
    case 'proposal': {
      const proposal = decodeProposal(fields.bytes({ max: 512 }))
      const block = readBlock(fields.bytes())
      if (block.hash !== proposal.blockHash)
        throw new DecodeError('consensus message: the block is not the one proposed')
      return { kind, proposal, block }
    }
    case 'votes':
      return { kind, votes: readVotes(fields, { max: maxVotesPerMessage }) }
    case 'status':
      return { kind, height: fields.safeUint(), round: Number(fields.uint(32)), hasProposal: fields.boolean() }
    case 'relay':
      return { kind, vote: decodeVote(fields.bytes()) }
    case 'aggregate':
      return { kind, aggregate: readAggregate(fields) }
    default:
      throw new DecodeError('consensus message: unknown kind')
  }
}
