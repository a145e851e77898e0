import { describe, expect, it } from 'vitest'
import { prevRandaoOf } from '../../base/protocol/block-header.js'
import { fixedAttributes, messagesConsumedAfter } from './block-attributes.js'
import { deposit, genesis, set } from './blocks.fixture.js'

describe('fixedAttributes', () => {
  it('follow from parent, context, messages and set', () => {
    const parent = { ...genesis, header: { ...genesis.header, gasUsed: 2 }, feeCarryWei: 7n }
    const context = { ...genesis.context, proposerIndex: 2, timestampMs: 1_234_999, messagesConsumed: 1 }
    const { attributes, feeCarryWei } = fixedAttributes({
      parent,
      context,
      messages: [deposit(0, 10)],
      set,
      gasLimit: 30_000_123,
    })
    expect(attributes).toEqual({
      parentHash: parent.hash,
      height: 1,
      timestamp: 1_234,
      feeRecipient: set.members[2]!.feeRecipient,
      prevRandao: prevRandaoOf(parent.hash, 1),
      gasLimit: 30_000_123,
      context,
      withdrawals: [expect.objectContaining({ amount: 1n }), expect.objectContaining({ amount: 2n })],
    })
    expect(feeCarryWei).toBe(7n)
  })
})

describe('messagesConsumedAfter', () => {
  it.each([
    ['all up to the origin', 3, 8, 64, 8],
    ['as many as a block may', 3, 80, 64, 67],
    ['none when there are none', 3, 3, 64, 3],
    ['never fewer than its parent', 3, 2, 64, 3],
  ])('takes %s', (_what, parentConsumed, countAtOrigin, maxMessagesPerBlock, expected) => {
    expect(messagesConsumedAfter({ parentConsumed, countAtOrigin, maxMessagesPerBlock })).toBe(expected)
  })
})
