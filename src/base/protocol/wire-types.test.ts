import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey } from '../crypto/bls.js'
import { DecodeError } from '../encoding/decode-error.js'
import { decodeRlp, encodeRlp } from '../encoding/rlp.js'
import { bytesToHex, type Hex } from '../primitives/bytes.js'
import {
  decodeAttestation,
  decodeBatchCertificate,
  encodeAttestation,
  encodeBatchCertificate,
} from './batch-attestation.js'
import { decodeBatchHeader, encodeBatchHeader } from './batch-header.js'
import {
  type Block,
  type EncodedBlock,
  encodeBlock,
  encodeCertifiedBlock,
  openBlock,
  readBlock,
  readCertifiedBlock,
  transactionsRootOf,
  withdrawalsRootOf,
} from './block.js'
import { contextHash, decodeContext, encodeContext } from './block-context.js'
import { headerFromRlp, headerHash, headerToRlp, logsBloomFromRlp } from './block-header.js'
import { decodeConsensusMessage, encodeConsensusMessage, maxVotesPerMessage } from './consensus-message.js'
import { decodeL1Message, encodeL1Message } from './l1-message.js'
import { decodeProposal, encodeProposal } from './proposal.js'
import { decodeCertificate, encodeCertificate } from './quorum-certificate.js'
import { decodeSequencerSet, encodeSequencerSet, makeSequencerSet } from './sequencer-set.js'
import {
  decodeBlockRange,
  decodeBlockRangeRequest,
  decodeSyncMessage,
  encodeBlockRange,
  encodeBlockRangeRequest,
  encodeSyncMessage,
  maxBlockRange,
} from './sync-message.js'
import { decodeVote, encodeVote, precommit, prevote, type Vote, type VoteStep } from './vote.js'
import { withdrawalFromRlp, withdrawalToRlp } from './withdrawal.js'

const hex = (length: number): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map(bytes => bytesToHex(bytes))
const hash = hex(32)
const address = hex(20)
const signature = fc.uint8Array({ minLength: 96, maxLength: 96 })
const bytes = fc.uint8Array({ maxLength: 40 })
const uint53 = fc.maxSafeNat()
const uint16 = fc.nat(0xffff)
const uint32 = fc.nat(0xffffffff)
const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })

const vote = fc
  .record({
    height: uint53,
    round: uint32,
    step: fc.constantFrom<VoteStep>(prevote, precommit),
    blockHash: hash,
    member: uint16,
    signature,
    extension: bytes,
  })
  .map(value => (value.step === prevote ? { ...value, extension: new Uint8Array(0) } : value))
const aggregate = fc.record({ vote, signature }).map(({ vote: one, signature: sum }) => ({
  votes: [
    { ...one, member: 1 },
    { ...one, member: 7, extension: new Uint8Array(0) },
  ],
  signature: sum,
}))
const proposal = fc.record({
  height: uint53,
  round: uint32,
  validRound: fc.integer({ min: -1, max: 0xfffffffe }),
  blockHash: hash,
  proposer: uint16,
  signature,
})
const certificate = fc.record({
  height: uint53,
  round: uint32,
  blockHash: hash,
  setId: uint53,
  absent: uint(256),
  signature,
})
const context = fc.record({
  version: uint16,
  setId: uint53,
  proposerIndex: uint16,
  timestampMs: uint53,
  l1OriginNumber: uint53,
  l1OriginHash: hash,
  messagesConsumed: uint53,
  inboxRoot: hash,
})
const header = fc.record({
  parentHash: hash,
  feeRecipient: address,
  stateRoot: hash,
  transactionsRoot: hash,
  receiptsRoot: hash,
  logsBloom: hex(256),
  number: uint53,
  gasLimit: uint53,
  gasUsed: uint53,
  timestamp: uint53,
  prevRandao: hash,
  baseFeePerGas: uint(64),
  withdrawalsRoot: hash,
  parentBeaconBlockRoot: hash,
  requestsHash: hash,
})
const withdrawal = fc.record({ index: uint53, validatorIndex: uint53, address, amount: uint(64) })
const block: fc.Arbitrary<Block> = fc
  .record({
    header,
    context,
    transactions: fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 4 }),
    withdrawals: fc.array(withdrawal, { maxLength: 3 }),
  })
  .map(value => {
    const bound = {
      ...value.header,
      transactionsRoot: transactionsRootOf(value.transactions),
      withdrawalsRoot: withdrawalsRootOf(value.withdrawals),
      parentBeaconBlockRoot: contextHash(value.context),
    }
    return { ...value, header: bound, hash: headerHash(bound) }
  })
const limits = { maxTransactions: 48, maxTransactionBytes: 240, maxWithdrawals: 4 }
const open = (encoded: EncodedBlock): Block => openBlock(encoded, limits)
/** What carries a block, with that block opened. */
const withOpened = <Carrier extends { readonly block: EncodedBlock }>(carrier: Carrier) => ({
  ...carrier,
  block: open(carrier.block),
})
const certified = fc.record({ block, certificate })
const publicKeys = [1, 2, 3].map(i => parseBlsPublicKey(BlsSecretKey.fromSeed(new Uint8Array(32).fill(i)).publicKey())!)
const member = fc.record({
  operator: address,
  submitter: address,
  publicKey: fc.constantFrom(...publicKeys),
  power: uint(64),
  feeRecipient: address,
})
const batchHeader = fc.record({
  version: fc.nat(255),
  batchIndex: uint53,
  parentBatchHash: hash,
  setId: uint53,
  firstBlock: uint53,
  lastBlock: uint53,
  lastBlockHash: hash,
  postStateRoot: hash,
  withdrawalRoot: hash,
  messagesConsumed: uint53,
  messagesRollingHash: hash,
  timestamp: uint53,
  blobHashesHash: hash,
})

interface WireType {
  readonly name: string
  readonly value: fc.Arbitrary<unknown>
  readonly encode: (value: never) => Uint8Array
  readonly decode: (bytes: Uint8Array) => unknown
}
const wireTypes: readonly WireType[] = [
  { name: 'vote', value: vote, encode: encodeVote, decode: decodeVote },
  { name: 'proposal', value: proposal, encode: encodeProposal, decode: decodeProposal },
  { name: 'certificate', value: certificate, encode: encodeCertificate, decode: decodeCertificate },
  {
    name: 'batch attestation',
    value: fc.record({ batchIndex: uint53, batchHash: hash, signature }),
    encode: encodeAttestation,
    decode: decodeAttestation,
  },
  {
    name: 'batch certificate',
    value: fc.record({ batchIndex: uint53, batchHash: hash, absent: uint(256), signature }),
    encode: encodeBatchCertificate,
    decode: decodeBatchCertificate,
  },
  { name: 'batch header', value: batchHeader, encode: encodeBatchHeader, decode: decodeBatchHeader },
  { name: 'block context', value: context, encode: encodeContext, decode: decodeContext },
  {
    name: 'block header',
    value: header,
    encode: (value: Block['header']) => encodeRlp(headerToRlp(value)),
    decode: encoded => headerFromRlp(decodeRlp(encoded)),
  },
  {
    name: 'withdrawal',
    value: withdrawal,
    encode: (value: Block['withdrawals'][number]) => encodeRlp(withdrawalToRlp(value)),
    decode: encoded => withdrawalFromRlp(decodeRlp(encoded)),
  },
  { name: 'block', value: block, encode: encodeBlock, decode: bytes => open(readBlock(bytes)) },
  {
    name: 'certified block',
    value: certified,
    encode: encodeCertifiedBlock,
    decode: bytes => withOpened(readCertifiedBlock(bytes)),
  },
  {
    name: 'L1 message',
    value: fc.record({
      kind: fc.nat(255),
      index: uint53,
      sender: address,
      to: address,
      amount: uint(256),
      data: bytes,
      l1BlockNumber: uint53,
    }),
    encode: encodeL1Message,
    decode: decodeL1Message,
  },
  {
    name: 'sequencer set',
    value: fc
      .record({ setId: uint53, members: fc.array(member, { maxLength: 4 }) })
      .map(({ setId, members }) => makeSequencerSet(setId, members)),
    encode: encodeSequencerSet,
    decode: decodeSequencerSet,
  },
  {
    name: 'consensus message',
    value: fc.oneof(
      fc.record({ proposal, block }).map(({ proposal: content, block: body }) => ({
        kind: 'proposal',
        proposal: { ...content, blockHash: body.hash },
        block: body,
      })),
      fc.record({ kind: fc.constant('votes'), votes: fc.array(vote, { maxLength: 4 }) }),
      fc.record({ kind: fc.constant('status'), height: uint53, round: uint32, hasProposal: fc.boolean() }),
      fc.record({ kind: fc.constant('relay'), vote }),
      fc.record({ kind: fc.constant('aggregate'), aggregate }),
    ),
    encode: encodeConsensusMessage,
    decode: bytes => {
      const message = decodeConsensusMessage(bytes)
      return message.kind === 'proposal' ? withOpened(message) : message
    },
  },
  {
    name: 'sync message',
    value: fc.oneof(
      fc.record({ kind: fc.constant('head'), certificate }),
      fc.record({ kind: fc.constant('block'), certified }),
      fc.record({ kind: fc.constant('follow'), on: fc.boolean() }),
    ),
    encode: encodeSyncMessage,
    decode: bytes => {
      const message = decodeSyncMessage(bytes)
      return message.kind === 'block' ? { ...message, certified: withOpened(message.certified) } : message
    },
  },
  {
    name: 'block range request',
    value: fc.record({ from: uint53, count: fc.integer({ min: 1, max: maxBlockRange }) }),
    encode: encodeBlockRangeRequest,
    decode: decodeBlockRangeRequest,
  },
  {
    name: 'block range',
    value: fc.array(certified, { maxLength: 2 }),
    encode: (value: readonly Parameters<typeof encodeCertifiedBlock>[0][]) =>
      encodeBlockRange(value.map(encodeCertifiedBlock)),
    decode: bytes => decodeBlockRange(bytes).map(withOpened),
  },
]

/** Whatever is accepted is written back to the same bytes; whatever is not gives a DecodeError. */
function decodesOrRefuses({ decode, encode }: WireType, encoded: Uint8Array): void {
  let value: unknown
  try {
    value = decode(encoded)
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError)
    return
  }
  expect(bytesToHex(encode(value as never))).toBe(bytesToHex(encoded))
}

describe.each(wireTypes)('$name', type => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(type.value, value => {
        const encoded = type.encode(value as never)
        expect(type.decode(encoded)).toEqual(value)
        expect(bytesToHex(type.encode(type.decode(encoded) as never))).toBe(bytesToHex(encoded))
      }),
      { numRuns: 50 },
    )
  })

  it('has one encoding of a value: changed bytes decode to something else or are refused', () => {
    fc.assert(
      fc.property(
        type.value,
        fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 20 }),
        (value, flips) => {
          const encoded = type.encode(value as never)
          for (const [at, bit] of flips) {
            const changed = Uint8Array.from(encoded)
            changed[at % changed.length]! ^= 1 << bit
            decodesOrRefuses(type, changed)
            decodesOrRefuses(type, encoded.subarray(0, at % encoded.length))
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  it('refuses fields that are missing, too many, or of another shape', () => {
    fc.assert(
      fc.property(type.value, fc.nat(), (value, pick) => {
        const items = decodeRlp(type.encode(value as never))
        if (items instanceof Uint8Array || items.length === 0) return
        const at = pick % items.length
        const nested = items.map((item, i) => (i === at ? [item] : item))
        for (const changed of [items.slice(0, -1), [...items, new Uint8Array(0)], nested, items[at]!])
          decodesOrRefuses(type, encodeRlp(changed))
      }),
      { numRuns: 50 },
    )
  })

  it('refuses random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), encoded => decodesOrRefuses(type, encoded)),
      { numRuns: 300 },
    )
  })
})

describe('bounds', () => {
  const first = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.sample(arbitrary, { seed: 1, numRuns: 1 })[0]!

  it('a vote is a prevote or a precommit, and only a precommit has an extension', () => {
    const value = { ...first(vote), step: precommit, extension: new Uint8Array(0) }
    expect(() => decodeVote(encodeVote({ ...value, step: 3 as VoteStep }))).toThrow('vote: step 3 is unknown')
    expect(() => decodeVote(encodeVote({ ...value, step: prevote, extension: Uint8Array.of(1) }))).toThrow(DecodeError)
    expect(() => decodeVote(encodeVote({ ...value, extension: new Uint8Array(513) }))).toThrow(DecodeError)
    expect(() => decodeVote(encodeVote({ ...value, signature: new Uint8Array(95) }))).toThrow(DecodeError)
  })

  it('a header has no ommers, no extra data, no blob gas, no nonce', () => {
    const items = headerToRlp(first(header))
    for (const at of [1, 7, 12, 14, 17, 18]) {
      const changed = items.map((item, i) => (i === at ? (item as Uint8Array).map(() => 1) : item))
      if (encodeRlp(changed).length !== encodeRlp(items).length || (items[at] as Uint8Array).length === 0)
        changed[at] = Uint8Array.of(1)
      expect(() => headerFromRlp(changed), `field ${at}`).toThrow(DecodeError)
    }
  })

  it('the logs bloom of a header can be read alone', () => {
    const value = first(header)
    expect(bytesToHex(logsBloomFromRlp(headerToRlp(value)))).toBe(value.logsBloom)
    expect(() => logsBloomFromRlp(headerToRlp({ ...value, logsBloom: '0x00' }))).toThrow(DecodeError)
  })

  it('a block has at most 8 MiB, and no empty transaction', () => {
    const value = first(block)
    const decode = (changed: Partial<Block>) => () => open(readBlock(encodeBlock({ ...value, ...changed })))
    expect(decode({})).not.toThrow()
    expect(decode({ transactions: [new Uint8Array(8 * 1024 * 1024)] })).toThrow('above the limit')
    expect(decode({ transactions: [new Uint8Array(0)] })).toThrow('is empty')
  })

  it('a block that was opened has the context, transactions and withdrawals of its header', () => {
    const value = first(block)
    const read = (changed: Partial<Block>) => readBlock(encodeBlock({ ...value, ...changed }))
    expect(() => read({ context: { ...value.context, proposerIndex: value.context.proposerIndex ^ 1 } })).toThrow(
      'the context is not that of the header',
    )
    expect(() => open(read({ transactions: [...value.transactions, Uint8Array.of(1)] }))).toThrow(
      'the transactions are not those of the header',
    )
    const credit = { index: 1, validatorIndex: 0, address: value.header.feeRecipient, amount: 1n }
    expect(() => open(read({ withdrawals: [...value.withdrawals, credit] }))).toThrow(
      'the withdrawals are not those of the header',
    )
  })

  it('no more is read than a body and a message may hold, however small its parts', () => {
    const transactions = Array.from({ length: 48 }, () => Uint8Array.of(1))
    const value = first(block)
    const credits = [{ index: 1, validatorIndex: 0, address: value.header.feeRecipient, amount: 1n }]
    const roots = { transactionsRoot: transactionsRootOf(transactions), withdrawalsRoot: withdrawalsRootOf(credits) }
    const full: Block = { ...value, transactions, withdrawals: credits, header: { ...value.header, ...roots } }
    const opened = (changed: Partial<typeof limits>) => () =>
      openBlock(readBlock(encodeBlock(full)), { ...limits, maxWithdrawals: full.withdrawals.length, ...changed })
    expect(opened({})).not.toThrow()
    expect(opened({ maxTransactionBytes: 48 })).not.toThrow()
    expect(opened({ maxTransactionBytes: 47 })).toThrow('above 47 bytes')
    expect(opened({ maxTransactions: 47 })).toThrow('too many items')
    expect(opened({ maxWithdrawals: full.withdrawals.length - 1 })).toThrow('too many items')
    const many = encodeRlp(Array.from({ length: 10_000 }, () => Uint8Array.of(1)))
    for (const decode of [decodeConsensusMessage, decodeSyncMessage, readBlock, readCertifiedBlock])
      expect(() => decode(many)).toThrow('too many items')
  })

  it('a proposal comes with its own block', () => {
    const message = { kind: 'proposal' as const, proposal: first(proposal), block: first(block) }
    expect(() => decodeConsensusMessage(encodeConsensusMessage(message))).toThrow('not the one proposed')
  })

  it('an aggregate has votes of two members or more for one thing, by ascending member', () => {
    const one = { ...first(vote), member: 3 }
    const decode = (votes: readonly Vote[]) => () =>
      decodeConsensusMessage(
        encodeConsensusMessage({ kind: 'aggregate', aggregate: { votes, signature: one.signature } }),
      )
    expect(decode([one, { ...one, member: 4 }])).not.toThrow()
    expect(decode([one])).toThrow('needs two votes')
    expect(decode([one, { ...one, member: 4, round: one.round ^ 1 }])).toThrow('the votes differ')
    expect(decode([one, one])).toThrow('do not ascend')
    expect(decode([{ ...one, member: 4 }, one])).toThrow('do not ascend')
    expect(decode(Array.from({ length: 257 }, (_, member) => ({ ...one, member })))).toThrow(DecodeError)
  })

  it('a message has so many votes, a range so many blocks, a set so many members with good keys', () => {
    const votes = Array.from({ length: maxVotesPerMessage + 1 }, () => first(vote))
    expect(() => decodeConsensusMessage(encodeConsensusMessage({ kind: 'votes', votes }))).toThrow(DecodeError)
    for (const count of [0, maxBlockRange + 1])
      expect(() => decodeBlockRangeRequest(encodeBlockRangeRequest({ from: 1, count }))).toThrow(DecodeError)
    const encoded = encodeCertifiedBlock(first(certified))
    expect(() => decodeBlockRange(encodeBlockRange(Array(maxBlockRange + 1).fill(encoded)))).toThrow('too many blocks')
    const many = makeSequencerSet(1, Array(257).fill(first(member)))
    expect(() => decodeSequencerSet(encodeSequencerSet(many))).toThrow(DecodeError)
    const badKey = { ...first(member), publicKey: { ...publicKeys[0]!, bytes: new Uint8Array(48) } }
    expect(() => decodeSequencerSet(encodeSequencerSet(makeSequencerSet(1, [badKey])))).toThrow(
      'no BLS12-381 public key',
    )
  })
})
