import { DecodeError } from '../../../base/encoding/decode-error.js'
import { encodeRlp, type RlpItem } from '../../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../../base/encoding/rlp-fields.js'
import type { Height } from '../../../base/primitives/quantities.js'
import { type Block, decodeOwnBlock, encodeBlock } from '../../../base/protocol/block.js'
import { decodeProposal, encodeProposal } from '../../../base/protocol/proposal.js'
import { decodeVote, encodeVote } from '../../../base/protocol/vote.js'
import { aggregateFields, readAggregate } from '../../../base/protocol/vote-aggregate.js'
import type { ConsensusInput, TimeoutStep } from '../../../rules/consensus/core-messages.js'
import { asVerified } from '../../../rules/consensus/verified.js'

/** An input as the write-ahead log keeps it; 'start-height' is not logged, since the height tells it. */
export type LoggedInput = Exclude<ConsensusInput, { type: 'start-height' }>

/** One record: the height it belongs to, the input, and the block that came with it when it was new. */
export interface WalRecord {
  readonly height: Height
  readonly input: LoggedInput
  readonly block?: Block
}

/**
 * What tells which heights a log holds whole: `opened`, a run of the node began at this height and signed nothing yet; `signs`,
 * it is about to log its first message of this run or of this file. A node signs only once it is level with the network.
 */
export interface WalMark {
  readonly height: Height
  readonly mark: 'opened' | 'signs'
}

/** Whether an entry of the log is a mark. */
export const isMark = (entry: WalRecord | WalMark): entry is WalMark => 'mark' in entry

/** Whether an entry of the log is an input of consensus. */
export const isInput = (entry: WalRecord | WalMark): entry is WalRecord => !isMark(entry)

const marks: readonly WalMark['mark'][] = ['opened', 'signs']
/** Above the types of inputs. */
const firstMark = 128
const types: readonly LoggedInput['type'][] = [
  'work-available',
  'proposal',
  'validated',
  'prepared',
  'votes',
  'timeout',
  'aggregate',
]
const timeoutSteps: readonly TimeoutStep[] = ['propose', 'prevote', 'precommit']

export function encodeWalRecord(entry: WalRecord | WalMark): Uint8Array {
  const { height } = entry
  if (isMark(entry)) return encodeRlp([rlpUint(height), rlpUint(firstMark + marks.indexOf(entry.mark))])
  const { input, block } = entry
  const body = block ? encodeBlock(block) : new Uint8Array(0)
  return encodeRlp([rlpUint(height), rlpUint(types.indexOf(input.type)), inputFields(input), body])
}

function inputFields(input: LoggedInput): RlpItem[] {
  switch (input.type) {
    case 'work-available':
      return []
    case 'proposal':
      return [encodeProposal(input.proposal)]
    case 'validated':
      return [rlpHex(input.blockHash), rlpUint(input.valid ? 1 : 0), rlpUint(input.acceptable === false ? 0 : 1)]
    case 'prepared':
      return [rlpUint(input.round), rlpHex(input.blockHash)]
    case 'votes':
      return input.votes.map(encodeVote)
    case 'aggregate':
      return aggregateFields(input.aggregate)
    case 'timeout':
      return [rlpUint(input.round), rlpUint(timeoutSteps.indexOf(input.step))]
  }
}

/** The log holds only what this node verified before it wrote it, so its messages count as verified. @throws DecodeError */
export function decodeWalRecord(bytes: Uint8Array): WalRecord | WalMark {
  const fields = RlpFields.decode(bytes, 'WAL record')
  const height = fields.safeUint()
  const number = Number(fields.uint(8))
  const mark = marks[number - firstMark]
  if (mark) {
    fields.end()
    return { height, mark }
  }
  const type = types[number]
  const input = readInput(fields.fields('WAL input'), type, height)
  const body = fields.bytes()
  fields.end()
  return body.length > 0 ? { height, input, block: decodeOwnBlock(body) } : { height, input }
}

function readInput(fields: RlpFields, type: LoggedInput['type'] | undefined, height: Height): LoggedInput {
  switch (type) {
    case 'work-available':
      return { type, height }
    case 'proposal':
      return { type, proposal: asVerified(decodeProposal(fields.bytes())) }
    case 'validated':
      return { type, height, blockHash: fields.hash(), valid: fields.boolean(), acceptable: fields.boolean() }
    case 'prepared':
      return { type, height, round: Number(fields.uint(32)), blockHash: fields.hash() }
    case 'votes': {
      const votes = []
      while (fields.remaining > 0) votes.push(asVerified(decodeVote(fields.bytes())))
      return { type, votes }
    }
    case 'aggregate':
      return { type, aggregate: asVerified(readAggregate(fields)) }
    case 'timeout': {
      const round = Number(fields.uint(32))
      const step = timeoutSteps[Number(fields.uint(8))]
      if (!step) throw new DecodeError('WAL input: unknown timeout step')
      return { type, height, round, step }
    }
    default:
      throw new DecodeError('WAL record: unknown input')
  }
}
