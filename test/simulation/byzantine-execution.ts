import type { Hex } from '../../src/base/primitives/bytes.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import type { BlockAttributes, ExecutionClient } from '../../src/io/execution/execution-client.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'
import type { Hostility } from './hostility.js'

/** The execution client of a Byzantine proposer: while a behaviour is on, the blocks it builds execute, and break a rule. */
export function byzantineExecution({
  inner,
  hostility,
  set,
}: {
  inner: ExecutionClient
  hostility: Hostility
  set: SequencerSet
}): ExecutionClient {
  return { ...inner, buildBlock: attributes => inner.buildBlock(twisted(attributes, hostility, set)) }
}

function twisted(attributes: BlockAttributes, hostility: Hostility, set: SequencerSet): BlockAttributes {
  const { context, withdrawals, feeRecipient, height } = attributes
  if (hostility.does('false-deposit')) {
    const last = withdrawals.at(-1)
    const index = last ? last.index + 1 : height * 2 ** 16
    return {
      ...attributes,
      withdrawals: [...withdrawals, { index, validatorIndex: 0, address: feeRecipient, amount: 7n }],
    }
  }
  if (hostility.does('false-origin')) {
    const l1OriginHash: Hex = attributes.parentHash
    return { ...attributes, context: { ...context, l1OriginNumber: context.l1OriginNumber + 1, l1OriginHash } }
  }
  if (hostility.does('false-time')) {
    const timestampMs = context.timestampMs + 60_000
    return { ...attributes, timestamp: Math.floor(timestampMs / 1_000), context: { ...context, timestampMs } }
  }
  if (hostility.does('false-valid-round')) {
    // As if it had come, and had its polka, in the first round.
    const { index: proposerIndex, feeRecipient } = set.members[proposerOf(set, height, 0)]!
    return { ...attributes, feeRecipient, context: { ...context, proposerIndex } }
  }
  return attributes
}
