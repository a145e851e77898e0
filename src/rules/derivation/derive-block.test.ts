import { describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { type Hash32, zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import type { BlockHeader } from '../../base/protocol/block-header.js'
import { ethDeposit, type L1Message } from '../../base/protocol/l1-message.js'
import { defaultParameters } from '../../base/protocol/protocol-parameters.js'
import { makeSequencerSet } from '../../base/protocol/sequencer-set.js'
import type { ParentBlock } from '../blocks/block-attributes.js'
import { deriveBlock, type L1History } from './derive-block.js'

const account = (byte: string): Hash32 => `0x${byte.repeat(20)}`
const hashOf = (number: number): Hash32 => `0x${number.toString(16).padStart(64, '0')}`
const key = parseBlsPublicKey(BlsSecretKey.fromSeed(new Uint8Array(32).fill(1)).publicKey())!
const member = { operator: zeroAddress, submitter: zeroAddress, publicKey: key, power: 1n }
const set = makeSequencerSet(4, [
  { ...member, feeRecipient: account('aa') },
  { ...member, feeRecipient: account('bb') },
])
const parent: ParentBlock = {
  hash: hashOf(1),
  header: { number: 9, gasLimit: 30_000_000, gasUsed: 21_000, baseFeePerGas: 1_000_000_007n } as BlockHeader,
  context: {
    version: 1,
    setId: 4,
    proposerIndex: 0,
    timestampMs: 5_000,
    l1OriginNumber: 20,
    l1OriginHash: zeroHash,
    messagesConsumed: 3,
    inboxRoot: zeroHash,
  },
  feeCarryWei: 999_999_999n,
}
const deposit = (index: number, l1BlockNumber: number): L1Message => ({
  kind: ethDeposit,
  index,
  sender: zeroAddress,
  to: account('cc'),
  amount: 5_000_000_000n,
  data: new Uint8Array(0),
  l1BlockNumber,
})
const l1: L1History = {
  blockHash: number => (number <= 22 ? hashOf(number) : null),
  messages: (from, to) => [deposit(3, 21), deposit(4, 22), deposit(5, 22)].filter(m => m.index >= from && m.index < to),
}
const block = {
  timestampMs: 6_999,
  l1OriginNumber: 22,
  proposerIndex: 1,
  messagesConsumed: 5,
  transactions: [Uint8Array.of(1, 2, 3)],
}
const protocol = { version: 1, parameters: { ...defaultParameters, maxMessagesPerBlock: 2 }, isKnown: true }
const derive = (change: Partial<typeof block>) =>
  deriveBlock({ block: { ...block, ...change }, parent, l1, set, protocol })

describe('deriveBlock', () => {
  it('finds in L1, the set and the parent everything that the batch leaves out', () => {
    const derived = derive({})
    if (!derived.ok) return expect.fail(derived.error)
    const { attributes, feeCarryWei } = derived.value
    expect(attributes).toMatchObject({
      parentHash: parent.hash,
      height: 10,
      timestamp: 6,
      feeRecipient: set.members[1]!.feeRecipient,
      gasLimit: 30_000_000,
      transactions: block.transactions,
      onInvalidTransaction: 'fail',
    })
    expect(attributes.context).toMatchObject({ setId: 4, l1OriginHash: l1.blockHash(22), messagesConsumed: 5 })
    // Two deposits, then 21,000 gas at 1 gwei and 7 wei plus the carry of just under a gwei.
    expect(attributes.withdrawals.map(w => w.amount)).toEqual([5n, 5n, 21_001n])
    expect(feeCarryWei).toBe(146_999n)
  })

  it.each([
    ['unknown-proposer', { proposerIndex: 2 }],
    ['timestamp-behind-parent', { timestampMs: 4_999 }],
    ['l1-origin-behind-parent', { l1OriginNumber: 19 }],
    ['messages-behind-parent', { messagesConsumed: 2 }],
    ['too-many-messages', { messagesConsumed: 6 }],
    ['unknown-l1-block', { l1OriginNumber: 23 }],
    ['message-after-origin', { l1OriginNumber: 21 }],
  ])('refuses with %s', (error, change) => {
    expect(derive(change)).toEqual({ ok: false, error })
  })

  it('derives by the version of the batch, and nothing of a version that this software does not know', () => {
    const { parameters } = protocol
    const raised = { version: 2, parameters: { ...parameters, gasLimit: 60_000_000 }, isKnown: true }
    const derived = deriveBlock({ block, parent, l1, set, protocol: raised })
    if (!derived.ok) return expect.fail(derived.error)
    expect(derived.value.attributes).toMatchObject({ gasLimit: 30_029_295, context: { version: 2 } })
    const unknown = deriveBlock({ block, parent, l1, set, protocol: { ...raised, isKnown: false } })
    expect(unknown).toEqual({ ok: false, error: 'unknown-version' })
  })

  it('refuses messages that L1 does not have', () => {
    const known: L1History = { ...l1, messages: () => [deposit(3, 21)] }
    expect(deriveBlock({ block, parent, l1: known, set, protocol })).toEqual({
      ok: false,
      error: 'unknown-l1-message',
    })
  })
})
