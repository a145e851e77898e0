import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecodeError } from '../../../base/encoding/decode-error.js'
import { zeroAddress, zeroHash } from '../../../base/primitives/hashes.js'
import type { Block } from '../../../base/protocol/block.js'
import { contextHash, emptyInboxRoot } from '../../../base/protocol/block-context.js'
import { type BlockHeader, emptyRequestsHash, emptyTrieRoot, headerHash } from '../../../base/protocol/block-header.js'
import { precommit, prevote } from '../../../base/protocol/vote.js'
import { asVerified } from '../../../rules/consensus/verified.js'
import { decodeWalRecord, encodeWalRecord, type WalRecord } from './wal-record.js'

const hash = `0x${'ab'.repeat(32)}` as const
const signature = new Uint8Array(96).fill(7)
const none = new Uint8Array(0)

const context = {
  version: 1,
  setId: 1,
  proposerIndex: 2,
  timestampMs: 1_700_000_000_123,
  l1OriginNumber: 5,
  l1OriginHash: hash,
  messagesConsumed: 3,
  inboxRoot: emptyInboxRoot,
}
const header: BlockHeader = {
  parentHash: hash,
  feeRecipient: zeroAddress,
  stateRoot: hash,
  transactionsRoot: emptyTrieRoot,
  receiptsRoot: emptyTrieRoot,
  logsBloom: `0x${'00'.repeat(256)}`,
  number: 9,
  gasLimit: 30_000_000,
  gasUsed: 0,
  timestamp: 1_700_000_000,
  prevRandao: zeroHash,
  baseFeePerGas: 7n,
  withdrawalsRoot: emptyTrieRoot,
  parentBeaconBlockRoot: contextHash(context),
  requestsHash: emptyRequestsHash,
}
const block: Block = {
  hash: headerHash(header),
  header,
  context,
  transactions: [Uint8Array.of(1, 2, 3)],
  withdrawals: [{ index: 1, validatorIndex: 0, address: zeroAddress, amount: 4n }],
}

const height = 9
const vote = { height, round: 1, step: prevote, blockHash: hash, member: 0, signature, extension: none }
const proposal = asVerified({
  height,
  round: 2,
  validRound: -1 as const,
  blockHash: block.hash,
  proposer: 1,
  signature,
})
const records: WalRecord[] = [
  { height, input: { type: 'work-available', height } },
  { height, input: { type: 'proposal', proposal }, block },
  { height, input: { type: 'proposal', proposal: asVerified({ ...proposal, validRound: 1 }) } },
  { height, input: { type: 'validated', height, blockHash: hash, valid: true, acceptable: true } },
  { height, input: { type: 'validated', height, blockHash: hash, valid: true, acceptable: false } },
  { height, input: { type: 'validated', height, blockHash: hash, valid: false, acceptable: false } },
  { height, input: { type: 'prepared', height, round: 3, blockHash: block.hash }, block },
  {
    height,
    input: {
      type: 'votes',
      votes: [
        asVerified(vote),
        asVerified({ ...vote, step: precommit, blockHash: zeroHash, extension: Uint8Array.of(1) }),
      ],
    },
  },
  { height, input: { type: 'votes', votes: [] } },
  {
    height,
    input: {
      type: 'aggregate',
      aggregate: asVerified({ votes: [vote, { ...vote, member: vote.member + 1 }], signature }),
    },
  },
  ...(['propose', 'prevote', 'precommit'] as const).map(
    (step): WalRecord => ({ height, input: { type: 'timeout', height, round: 4, step } }),
  ),
]

describe('WAL record', () => {
  it.each(records.map(record => [record.input.type, record] as const))('keeps %s', (_type, record) => {
    expect(decodeWalRecord(encodeWalRecord(record))).toEqual(record)
  })

  it.each(['opened', 'signs'] as const)('keeps the mark %s', mark => {
    expect(decodeWalRecord(encodeWalRecord({ height, mark }))).toEqual({ height, mark })
  })

  it('reads a verdict without `acceptable` as acceptable', () => {
    const input = { type: 'validated', height, blockHash: hash, valid: true } as const
    expect(decodeWalRecord(encodeWalRecord({ height, input }))).toEqual({
      height,
      input: { ...input, acceptable: true },
    })
  })

  it('refuses whatever is cut short or has another form, with a DecodeError', () => {
    for (const record of records) {
      const bytes = encodeWalRecord(record)
      for (let length = 0; length < bytes.length; length += 7)
        expect(() => decodeWalRecord(bytes.subarray(0, length))).toThrow(DecodeError)
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        try {
          decodeWalRecord(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
    )
  })

  it('reads a damaged record as another one or refuses it with a DecodeError', () => {
    const bytes = encodeWalRecord(records[1]!)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const damaged = bytes.slice()
        damaged[at] = value
        try {
          decodeWalRecord(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
    )
  })
})
