import { aggregateSignatures, BlsSecretKey, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { bytesToHex, uintToBytes } from '../../base/primitives/bytes.js'
import { type Address, zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import {
  type Block,
  type CertifiedBlock,
  type EncodedCertifiedBlock,
  encodeBlock,
  readBlock,
  transactionsRootOf,
  withdrawalsRootOf,
} from '../../base/protocol/block.js'
import { type BlockContext, contextHash, emptyInboxRoot } from '../../base/protocol/block-context.js'
import { type BlockHeader, emptyRequestsHash, emptyTrieRoot, headerHash } from '../../base/protocol/block-header.js'
import { ethDeposit, type L1Message } from '../../base/protocol/l1-message.js'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import { makeSequencerSet } from '../../base/protocol/sequencer-set.js'
import { precommit, voteDigest } from '../../base/protocol/vote.js'
import type { Withdrawal } from '../../base/protocol/withdrawal.js'
import { proposerOf } from '../consensus/proposer-rotation.js'
import { fixedAttributes, type ParentBlock } from './block-attributes.js'

export const domain = { l1ChainId: 31_337, rollup: `0x${'12'.repeat(20)}` as const }
export const keys = [1, 2, 3, 4].map(n => BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
export const account = (n: number): Address => bytesToHex(uintToBytes(n, 20))
export const set = makeSequencerSet(
  1,
  keys.map((key, i) => ({
    operator: zeroAddress,
    submitter: zeroAddress,
    publicKey: parseBlsPublicKey(key.publicKey())!,
    power: 1n,
    feeRecipient: account(100 + i),
  })),
)

/** Hash of an L1 block of the fixture's L1. */
export const l1Hash = (number: number) => keccak256Hex(uintToBytes(number, 32))

export const deposit = (index: number, l1BlockNumber: number): L1Message => ({
  kind: ethDeposit,
  index,
  sender: zeroAddress,
  to: account(200 + index),
  amount: BigInt(index + 1) * 10n ** 9n,
  data: new Uint8Array(0),
  l1BlockNumber,
})

const genesisContext: BlockContext = {
  version: 1,
  setId: 0,
  proposerIndex: 0,
  timestampMs: 1_000_000,
  l1OriginNumber: 10,
  l1OriginHash: l1Hash(10),
  messagesConsumed: 0,
  inboxRoot: emptyInboxRoot,
}
const genesisHeader: BlockHeader = {
  parentHash: zeroHash,
  feeRecipient: zeroAddress,
  stateRoot: emptyTrieRoot,
  transactionsRoot: emptyTrieRoot,
  receiptsRoot: emptyTrieRoot,
  logsBloom: `0x${'00'.repeat(256)}`,
  number: 0,
  gasLimit: devnetParameters.gasLimit,
  gasUsed: 0,
  timestamp: 1_000,
  prevRandao: zeroHash,
  baseFeePerGas: 1_000_000_000n,
  withdrawalsRoot: emptyTrieRoot,
  parentBeaconBlockRoot: contextHash(genesisContext),
  requestsHash: emptyRequestsHash,
}
export const genesis: ParentBlock = {
  hash: headerHash(genesisHeader),
  header: genesisHeader,
  context: genesisContext,
  feeCarryWei: 0n,
}
export const genesisBlock: Block = { ...genesis, transactions: [], withdrawals: [] }

/** A block that follows every rule on its parent, but for the changes; its roots stand for an execution. */
export function childOf(
  parent: ParentBlock,
  {
    context: contextChange = {},
    header: headerChange = {},
    messages = [],
    transactions = [],
    withdrawals: credited,
    gasLimit = devnetParameters.gasLimit,
  }: {
    context?: Partial<BlockContext>
    header?: Partial<BlockHeader>
    messages?: readonly L1Message[]
    transactions?: readonly Uint8Array[]
    /** Others than the rules give. */
    withdrawals?: readonly Withdrawal[]
    /** The parameter at its height. */
    gasLimit?: number
  } = {},
): Block {
  const context: BlockContext = {
    ...parent.context,
    setId: set.setId,
    proposerIndex: proposerOf(set, parent.header.number + 1, 0),
    timestampMs: parent.context.timestampMs + 1_000,
    messagesConsumed: parent.context.messagesConsumed + messages.length,
    ...contextChange,
  }
  const { attributes } = fixedAttributes({ parent, context, messages, set, gasLimit })
  const { height, timestamp, feeRecipient, prevRandao } = attributes
  const withdrawals = credited ?? attributes.withdrawals
  const header: BlockHeader = {
    ...genesisHeader,
    parentHash: parent.hash,
    number: height,
    timestamp,
    feeRecipient,
    prevRandao,
    gasLimit: attributes.gasLimit,
    transactionsRoot: transactionsRootOf(transactions),
    withdrawalsRoot: withdrawalsRootOf(withdrawals),
    parentBeaconBlockRoot: contextHash(context),
    ...headerChange,
  }
  return { hash: headerHash(header), header, context, transactions, withdrawals }
}

/** The block as the parent of the next. */
export const asParent = (block: Block, feeCarryWei = 0n): ParentBlock => ({ ...block, feeCarryWei })

/** The block with the certificate that these keys sign. */
export function certified(
  block: Block,
  { signers = keys, ...change }: Partial<QuorumCertificate> & { signers?: readonly BlsSecretKey[] } = {},
): CertifiedBlock {
  const { hash: blockHash } = block
  const content = { height: block.header.number, round: change.round ?? 0, blockHash }
  const digest = voteDigest(domain, { ...content, step: precommit })
  const signature = aggregateSignatures(signers.map(key => key.sign(digest)))
  return { block, certificate: { ...content, setId: set.setId, absent: 0n, signature, ...change } }
}

/** The certified block as a peer gets it. */
export const asSent = ({ block, certificate }: CertifiedBlock): EncodedCertifiedBlock => ({
  block: readBlock(encodeBlock(block)),
  certificate,
})
