import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey } from '../../src/base/crypto/bls.js'
import { keccak256Hex } from '../../src/base/crypto/keccak.js'
import { DecodeError } from '../../src/base/encoding/decode-error.js'
import { encodeRlp } from '../../src/base/encoding/rlp.js'
import { rlpUint } from '../../src/base/encoding/rlp-fields.js'
import { bytesToHex, concatBytes, hexToBytes, uintToBytes } from '../../src/base/primitives/bytes.js'
import { type Address, zeroAddress, zeroHash } from '../../src/base/primitives/hashes.js'
import type { BatchHeader } from '../../src/base/protocol/batch-header.js'
import type { Block } from '../../src/base/protocol/block.js'
import { type BlockContext, contextHash, emptyInboxRoot } from '../../src/base/protocol/block-context.js'
import { type BlockHeader, emptyRequestsHash, emptyTrieRoot, headerHash } from '../../src/base/protocol/block-header.js'
import { ethDeposit, type L1Message } from '../../src/base/protocol/l1-message.js'
import { defaultParameters } from '../../src/base/protocol/protocol-parameters.js'
import { makeSequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { withdrawalToRlp } from '../../src/base/protocol/withdrawal.js'
import { brotliCodec } from '../../src/io/compression/brotli-codec.js'
import { inlineCompression } from '../../src/io/compression/inline-compression.js'
import { makeBatchHeader } from '../../src/rules/batch/make-batch-header.js'
import { isSealedBefore, isSealedBy } from '../../src/rules/batch/seal-policy.js'
import { type FixedAttributes, fixedAttributes, type ParentBlock } from '../../src/rules/blocks/block-attributes.js'
import { deriveBlock, type L1History } from '../../src/rules/derivation/derive-block.js'
import { openBatch } from '../../src/rules/derivation/open-batch.js'
import { createProtocolSchedule, type ProtocolSchedule } from '../../src/rules/upgrades/protocol-schedule.js'
import { GrowingBatch } from '../../src/services/batcher/growing-batch.js'

const account = (n: number): Address => bytesToHex(uintToBytes(n, 20))
const publicKey = parseBlsPublicKey(BlsSecretKey.fromSeed(new Uint8Array(32).fill(1)).publicKey())!
const set = makeSequencerSet(
  7,
  [1, 2, 3].map(n => ({
    operator: zeroAddress,
    submitter: zeroAddress,
    publicKey,
    power: 1n,
    feeRecipient: account(n),
  })),
)

const l1: L1History = {
  blockHash: number => keccak256Hex(uintToBytes(number, 32)),
  messages: (from, to) =>
    Array.from(
      { length: to - from },
      (_, i): L1Message => ({
        kind: ethDeposit,
        index: from + i,
        sender: zeroAddress,
        to: account(from + i),
        amount: BigInt(from + i + 1) * 10n ** 9n,
        data: new Uint8Array(0),
        l1BlockNumber: 0,
      }),
    ),
}

const genesisHeader: BlockHeader = {
  parentHash: zeroHash,
  feeRecipient: zeroAddress,
  stateRoot: emptyTrieRoot,
  transactionsRoot: emptyTrieRoot,
  receiptsRoot: emptyTrieRoot,
  logsBloom: `0x${'00'.repeat(256)}`,
  number: 41,
  gasLimit: defaultParameters.gasLimit,
  gasUsed: 0,
  timestamp: 1_000,
  prevRandao: zeroHash,
  baseFeePerGas: 1_000_000_000n,
  withdrawalsRoot: emptyTrieRoot,
  parentBeaconBlockRoot: zeroHash,
  requestsHash: emptyRequestsHash,
}
const genesis: ParentBlock = {
  hash: headerHash(genesisHeader),
  header: genesisHeader,
  context: {
    version: 1,
    setId: 7,
    proposerIndex: 0,
    timestampMs: 1_000_000,
    l1OriginNumber: 100,
    l1OriginHash: l1.blockHash(100)!,
    messagesConsumed: 12,
    inboxRoot: emptyInboxRoot,
  },
  feeCarryWei: 5n,
}

/** Stands for execution: every root depends on all that it is given, as those of a state do. */
function execute(attributes: FixedAttributes, transactions: readonly Uint8Array[]): Block {
  const root = keccak256Hex(
    concatBytes(hexToBytes(attributes.parentHash), ...transactions.flatMap(t => [rlpUint(t.length), t])),
  )
  const gasUsed = transactions.reduce((sum, t) => sum + 21_000 + t.length * 16, 0)
  const header: BlockHeader = {
    parentHash: attributes.parentHash,
    feeRecipient: attributes.feeRecipient,
    stateRoot: root,
    transactionsRoot: root,
    receiptsRoot: root,
    logsBloom: `0x${'00'.repeat(256)}`,
    number: attributes.height,
    gasLimit: attributes.gasLimit,
    gasUsed,
    timestamp: attributes.timestamp,
    prevRandao: attributes.prevRandao,
    baseFeePerGas: 1_000_000_000n + BigInt(attributes.height),
    withdrawalsRoot: keccak256Hex(encodeRlp(attributes.withdrawals.map(withdrawalToRlp))),
    parentBeaconBlockRoot: contextHash(attributes.context),
    requestsHash: emptyRequestsHash,
  }
  const { context, withdrawals } = attributes
  return { hash: headerHash(header), header, context, transactions, withdrawals }
}

const childOf = (block: Block, feeCarryWei: bigint): ParentBlock => ({ ...block, feeCarryWei })

const steps = fc.array(
  fc.record({
    ms: fc.nat(5_000),
    origins: fc.nat(4),
    proposerIndex: fc.nat(2),
    deposits: fc.oneof(fc.constant(0), fc.nat(defaultParameters.maxMessagesPerBlock)),
    transactions: fc.array(fc.uint8Array({ minLength: 12, maxLength: 400 }), { maxLength: 6 }),
  }),
  { minLength: 1, maxLength: 25 },
)

/** Nothing is scheduled. */
const plain = createProtocolSchedule({ parameters: defaultParameters })

function buildChain(
  plan: typeof steps extends fc.Arbitrary<infer Plan> ? Plan : never,
  protocol: ProtocolSchedule = plain,
): Block[] {
  const chain: Block[] = []
  let parent = genesis
  for (const { ms, origins, proposerIndex, deposits, transactions } of plan) {
    const before = parent.context
    const l1OriginNumber = before.l1OriginNumber + origins
    const { version, parameters } = protocol.at(parent.header.number + 1)
    const context: BlockContext = {
      ...before,
      version,
      proposerIndex,
      timestampMs: before.timestampMs + ms,
      l1OriginNumber,
      l1OriginHash: l1.blockHash(l1OriginNumber)!,
      messagesConsumed: before.messagesConsumed + Math.min(deposits, parameters.maxMessagesPerBlock),
    }
    const messages = l1.messages(before.messagesConsumed, context.messagesConsumed)
    const { gasLimit } = parameters
    const { attributes, feeCarryWei } = fixedAttributes({ parent, context, messages, set, gasLimit })
    const block = execute(attributes, transactions)
    chain.push(block)
    parent = childOf(block, feeCarryWei)
  }
  return chain
}

/** The batch of a whole chain: its header and its blobs. */
async function batchOf(chain: readonly Block[]): Promise<{ header: BatchHeader; blobs: Uint8Array[] }> {
  const growing = new GrowingBatch(chain[0]!, defaultParameters, inlineCompression)
  for (const block of chain.slice(1)) expect(await growing.tryAdd(block)).toBe(true)
  const header = makeBatchHeader({
    parent: { batchIndex: 3, batchHash: zeroHash },
    firstBlock: chain[0]!.header.number,
    last: chain.at(-1)!,
    withdrawalRoot: zeroHash,
    messagesRollingHash: zeroHash,
    blobVersionedHashes: [zeroHash],
  })
  return { header, blobs: await growing.blobs() }
}

/** The chain cut into the batches that the rules seal. */
function cut(chain: readonly Block[], protocol: ProtocolSchedule): Block[][] {
  const batches: Block[][] = []
  let open: Block[] = []
  for (const block of chain) {
    open.push(block)
    const { number } = block.header
    const { parameters } = protocol.at(number)
    const next = chain[chain.indexOf(block) + 1]
    const isSealed =
      isSealedBy({ first: open[0]!, last: block, nextSetId: 7, parameters }) || (next && isSealedBefore(next, block))
    if (!isSealed && next) continue
    batches.push(open)
    open = []
  }
  return batches
}

/** Derives the batches one after the other, each by one protocol; all that they say must come out. */
async function expectDerived(chain: readonly Block[], protocol: ProtocolSchedule = plain): Promise<void> {
  let parent = genesis
  for (const batch of cut(chain, protocol)) {
    const { header, blobs } = await batchOf(batch)
    const ofBatch = protocol.at(header.firstBlock)
    for (const block of openBatch({ header, blobs, codec: brotliCodec }).blocks) {
      const derived = deriveBlock({ block, parent, l1, set, protocol: ofBatch })
      if (!derived.ok) return expect.fail(derived.error)
      const { transactions, onInvalidTransaction: _, ...attributes } = derived.value.attributes
      parent = childOf(execute(attributes, transactions), derived.value.feeCarryWei)
      expect(parent.hash).toBe(chain[attributes.height - 42]!.hash)
    }
    expect(parent.hash).toBe(header.lastBlockHash)
    expect(parent.header.number).toBe(header.lastBlock)
  }
  expect(parent.hash).toBe(chain.at(-1)!.hash)
}

describe('derivation', () => {
  it('rebuilds from blobs, the parent and L1 every block of a chain, to the same hashes', async () => {
    await fc.assert(
      fc.asyncProperty(steps, plan => expectDerived(buildChain(plan))),
      { numRuns: 60 },
    )
  })

  it('rebuilds the blocks on both sides of an upgrade, whose parameters change what a batch leaves out', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 42, max: 66 }), async (plan, activationHeight) => {
        const parameters = { gasLimit: 30_100_000, maxMessagesPerBlock: 3, batchBlocks: 4 }
        const upgrades = [{ version: 2, activationHeight, parameters }]
        const protocol = createProtocolSchedule({ parameters: defaultParameters, upgrades })
        const chain = buildChain(plan, protocol)
        for (const { header, context } of chain) expect(header.number < activationHeight ? 1 : 2).toBe(context.version)
        await expectDerived(chain, protocol)
      }),
      { numRuns: 60 },
    )
  })

  it('refuses a payload that its header contradicts', async () => {
    const chain = buildChain([
      { ms: 3_000, origins: 1, proposerIndex: 0, deposits: 2, transactions: [] },
      { ms: 3_000, origins: 1, proposerIndex: 1, deposits: 0, transactions: [new Uint8Array(100)] },
    ])
    const { header, blobs } = await batchOf(chain)
    expect(openBatch({ header, blobs, codec: brotliCodec }).blocks.length).toBe(2)
    for (const field of ['setId', 'firstBlock', 'lastBlock', 'timestamp', 'messagesConsumed'] as const) {
      const other = { ...header, [field]: header[field] + 1 }
      expect(() => openBatch({ header: other, blobs, codec: brotliCodec })).toThrow(DecodeError)
    }
  })

  it('refuses damaged blobs with a DecodeError or reads another batch, but never fails otherwise', async () => {
    const chain = buildChain([
      { ms: 1, origins: 0, proposerIndex: 0, deposits: 0, transactions: [new Uint8Array(900)] },
    ])
    const { header, blobs } = await batchOf(chain)
    fc.assert(
      fc.property(fc.nat(200), fc.nat(255), (at, value) => {
        const damaged = blobs[0]!.slice()
        damaged[at] = value
        try {
          openBatch({ header, blobs: [damaged], codec: brotliCodec })
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 300 },
    )
  })
})
