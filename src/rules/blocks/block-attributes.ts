import type { Address, BlockHash, Hash32 } from '../../base/primitives/hashes.js'
import type { Height, Wei } from '../../base/primitives/quantities.js'
import type { BlockContext } from '../../base/protocol/block-context.js'
import { type BlockHeader, prevRandaoOf } from '../../base/protocol/block-header.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Withdrawal } from '../../base/protocol/withdrawal.js'
import { blockWithdrawals } from './block-withdrawals.js'
import { nextGasLimit } from './gas-limit.js'

/** A block as its child needs it. */
export interface ParentBlock {
  readonly hash: BlockHash
  readonly header: BlockHeader
  readonly context: BlockContext
  /** Burned base fee below one gwei that was not recycled yet, after this block. */
  readonly feeCarryWei: Wei
}

/** Everything of a new block that consensus fixes before its transactions run; proposer, validator and derivation share it. */
export interface FixedAttributes {
  readonly parentHash: BlockHash
  readonly height: Height
  /** Seconds. */
  readonly timestamp: number
  readonly feeRecipient: Address
  readonly prevRandao: Hash32
  readonly gasLimit: number
  readonly context: BlockContext
  readonly withdrawals: readonly Withdrawal[]
}

/** Derives the fixed attributes of the child of `parent` from its context, its L1 messages and its set; and the fee carry after it. */
export function fixedAttributes({
  parent,
  context,
  messages,
  set,
  gasLimit,
}: {
  parent: ParentBlock
  context: BlockContext
  messages: readonly L1Message[]
  set: SequencerSet
  /** The parameter at the child's height. */
  gasLimit: number
}): { attributes: FixedAttributes; feeCarryWei: Wei } {
  const height = parent.header.number + 1
  const { withdrawals, feeCarryWei } = blockWithdrawals({
    height,
    parent: parent.header,
    messages,
    feeCarryWei: parent.feeCarryWei,
  })
  const attributes: FixedAttributes = {
    parentHash: parent.hash,
    height,
    timestamp: Math.floor(context.timestampMs / 1_000),
    feeRecipient: set.members[context.proposerIndex]!.feeRecipient,
    prevRandao: prevRandaoOf(parent.hash, height),
    gasLimit: nextGasLimit({ parentGasLimit: parent.header.gasLimit, gasLimit }),
    context,
    withdrawals,
  }
  return { attributes, feeCarryWei }
}

/** How many L1 messages are consumed after a block with this origin: all up to it, at most `maxMessagesPerBlock` at once. */
export function messagesConsumedAfter({
  parentConsumed,
  countAtOrigin,
  maxMessagesPerBlock,
}: {
  parentConsumed: number
  countAtOrigin: number
  maxMessagesPerBlock: number
}): number {
  return Math.max(parentConsumed, Math.min(countAtOrigin, parentConsumed + maxMessagesPerBlock))
}
