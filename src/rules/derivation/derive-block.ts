import type { L1BlockHash } from '../../base/primitives/hashes.js'
import type { L1BlockNumber, Wei } from '../../base/primitives/quantities.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import { type BlockContext, emptyInboxRoot } from '../../base/protocol/block-context.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { PayloadBlock } from '../batch/payload.js'
import { type FixedAttributes, fixedAttributes, type ParentBlock } from '../blocks/block-attributes.js'
import type { Protocol } from '../upgrades/protocol-schedule.js'

/** The part of L1 that derivation reads, fetched beforehand. */
export interface L1History {
  /** Null when this L1 block is not known. */
  blockHash(number: L1BlockNumber): L1BlockHash | null
  /** Messages with indices in [from, to); fewer when L1 does not have them all. */
  messages(from: number, to: number): readonly L1Message[]
}

/** Everything that a block is built from; executing it on the parent gives the block of the chain. */
export interface DerivedAttributes extends FixedAttributes {
  readonly transactions: readonly Uint8Array[]
  readonly onInvalidTransaction: 'fail'
}

/** Why a block of a batch cannot be derived. */
export type DerivationRefusal =
  | 'unknown-version'
  | 'unknown-proposer'
  | 'unknown-l1-block'
  | 'unknown-l1-message'
  | 'message-after-origin'
  | 'l1-origin-behind-parent'
  | 'timestamp-behind-parent'
  | 'messages-behind-parent'
  | 'too-many-messages'

/** The attributes of the child of `parent` from what its batch and L1 say, and the fee carry after it. */
export function deriveBlock({
  block,
  parent,
  l1,
  set,
  protocol,
}: {
  block: PayloadBlock
  parent: ParentBlock
  l1: L1History
  /** The set that the batch names. */
  set: SequencerSet
  /** What holds at the batch's heights: a batch never spans two versions. */
  protocol: Pick<Protocol, 'version' | 'parameters' | 'isKnown'>
}): Result<{ attributes: DerivedAttributes; feeCarryWei: Wei }, DerivationRefusal> {
  const { timestampMs, l1OriginNumber, proposerIndex, messagesConsumed } = block
  const before = parent.context
  const { version, parameters, isKnown } = protocol
  if (!isKnown) return refuse('unknown-version')
  if (proposerIndex >= set.members.length) return refuse('unknown-proposer')
  if (timestampMs < before.timestampMs) return refuse('timestamp-behind-parent')
  if (l1OriginNumber < before.l1OriginNumber) return refuse('l1-origin-behind-parent')
  const count = messagesConsumed - before.messagesConsumed
  if (count < 0) return refuse('messages-behind-parent')
  if (count > parameters.maxMessagesPerBlock) return refuse('too-many-messages')
  const l1OriginHash = l1.blockHash(l1OriginNumber)
  if (l1OriginHash === null) return refuse('unknown-l1-block')
  const messages = l1.messages(before.messagesConsumed, messagesConsumed)
  if (messages.length !== count) return refuse('unknown-l1-message')
  if (messages.some(message => message.l1BlockNumber > l1OriginNumber)) return refuse('message-after-origin')
  const context: BlockContext = {
    version,
    setId: set.setId,
    proposerIndex,
    timestampMs,
    l1OriginNumber,
    l1OriginHash,
    messagesConsumed,
    inboxRoot: emptyInboxRoot,
  }
  const { attributes, feeCarryWei } = fixedAttributes({ parent, context, messages, set, gasLimit: parameters.gasLimit })
  return ok({
    attributes: { ...attributes, transactions: block.transactions, onInvalidTransaction: 'fail' },
    feeCarryWei,
  })
}
