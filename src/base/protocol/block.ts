import { orderedTrieRoot } from '../crypto/trie/update-trie.js'
import { DecodeError } from '../encoding/decode-error.js'
import { decodeRlp, encodeRlp, splitRlpList } from '../encoding/rlp.js'
import { RlpFields } from '../encoding/rlp-fields.js'
import { bytesToHex } from '../primitives/bytes.js'
import type { BlockHash, Hash32 } from '../primitives/hashes.js'
import { type BlockContext, contextHash, decodeContext, encodeContext } from './block-context.js'
import { type BlockHeader, headerFromRlp, headerHash, headerToRlp } from './block-header.js'
import { decodeCertificate, encodeCertificate, type QuorumCertificate } from './quorum-certificate.js'
import { type Withdrawal, withdrawalFromRlp, withdrawalToRlp } from './withdrawal.js'

/** A block without its body: the header, its hash, and the context behind its parentBeaconBlockRoot. */
interface BlockHead {
  readonly hash: BlockHash
  readonly header: BlockHeader
  readonly context: BlockContext
}

/** An Ethereum block and its context. */
export interface Block extends BlockHead {
  /** Signed transactions, each in its EIP-2718 encoding. */
  readonly transactions: readonly Uint8Array[]
  readonly withdrawals: readonly Withdrawal[]
}

/**
 * A block as it came, of which only header and context were read. That costs the same whatever it carries, and what it carries
 * may be anything: the hash is the header's. Who sent it is to be checked before it is opened.
 */
export interface EncodedBlock extends BlockHead {
  readonly encoded: Uint8Array
}

/** A block with the certificate that decided it. */
export interface CertifiedBlock {
  readonly block: Block
  readonly certificate: QuorumCertificate
}

/** As it came: nothing of it was checked. */
export interface EncodedCertifiedBlock {
  readonly block: EncodedBlock
  readonly certificate: QuorumCertificate
}

/** Largest encoded block that a node reads, in bytes. */
export const maxBlockBytes = 8 * 1024 * 1024
/** Most items of a header, or of a withdrawal, that are read. */
const maxFields = 64

/** Most that a body may hold; see `bodyLimits` of the block rules. */
export interface BodyLimits {
  readonly maxTransactions: number
  readonly maxTransactionBytes: number
  readonly maxWithdrawals: number
}

const noLimits: BodyLimits = {
  maxTransactions: Number.POSITIVE_INFINITY,
  maxTransactionBytes: Number.POSITIVE_INFINITY,
  maxWithdrawals: Number.POSITIVE_INFINITY,
}

/** A block is written to the log, to peers and to the execution thread: its encoding is made once. */
const encodings = new WeakMap<Block, Uint8Array>()

/** Canonical encoding; do not change the bytes. */
export function encodeBlock(block: Block | EncodedBlock): Uint8Array {
  if ('encoded' in block) return block.encoded
  let bytes = encodings.get(block)
  if (!bytes) {
    const { header, context, transactions, withdrawals } = block
    bytes = encodeRlp([headerToRlp(header), encodeContext(context), transactions, withdrawals.map(withdrawalToRlp)])
    encodings.set(block, bytes)
  }
  return bytes
}

/** Reads header and context of an encoded block; the hash is computed from the header. @throws DecodeError also for a context that is not the header's */
export function readBlock(encoded: Uint8Array): EncodedBlock {
  const block = headOf(encoded)
  if (contextHash(block.context) !== block.header.parentBeaconBlockRoot)
    throw new DecodeError('block: the context is not that of the header')
  return { ...block, encoded }
}

/**
 * The whole block, once its transactions and withdrawals are found to be those of its header: a block that was opened is the
 * block of its hash. No root is computed of more than the limits allow. @throws DecodeError
 */
export function openBlock({ hash, header, context, encoded }: EncodedBlock, limits: BodyLimits): Block {
  const opened = withBody({ hash, header, context }, encoded, limits)
  if (transactionsRootOf(opened.transactions) !== header.transactionsRoot)
    throw new DecodeError('block: the transactions are not those of the header')
  if (withdrawalsRootOf(opened.withdrawals) !== header.withdrawalsRoot)
    throw new DecodeError('block: the withdrawals are not those of the header')
  return opened
}

/** A block that this node wrote itself, to its disk or from one thread to another: its body is taken as it is. @throws DecodeError */
export function decodeOwnBlock(encoded: Uint8Array): Block {
  return withBody(headOf(encoded), encoded, noLimits)
}

/** Root of the transactions of a block, in the order of the block. */
export const transactionsRootOf = (transactions: readonly Uint8Array[]): Hash32 =>
  bytesToHex(orderedTrieRoot(transactions))

/** Root of the withdrawals of a block, in the order of the block (EIP-4895). */
export const withdrawalsRootOf = (withdrawals: readonly Withdrawal[]): Hash32 =>
  bytesToHex(orderedTrieRoot(withdrawals.map(withdrawal => encodeRlp(withdrawalToRlp(withdrawal)))))

function headOf(encoded: Uint8Array): BlockHead {
  const parts = partsOf(encoded)
  const header = headerFromRlp(decodeRlp(parts[0], { maxItems: maxFields }))
  return { hash: headerHash(header), header, context: decodeContext(bytesOf(parts[1], 'the context')) }
}

function withBody(
  { hash, header, context }: BlockHead,
  encoded: Uint8Array,
  { maxTransactions, maxTransactionBytes, maxWithdrawals }: BodyLimits,
): Block {
  let room = maxTransactionBytes
  const [, , transactionList, withdrawalList] = partsOf(encoded)
  const transactions = splitRlpList(transactionList, { maxItems: maxTransactions }).map(item => {
    const transaction = bytesOf(item, 'a transaction')
    if (transaction.length === 0) throw new DecodeError('block: a transaction is empty')
    room -= transaction.length
    if (room < 0) throw new DecodeError(`block: above ${maxTransactionBytes} bytes of transactions`)
    return transaction
  })
  const withdrawals = splitRlpList(withdrawalList, { maxItems: maxWithdrawals }).map(item =>
    withdrawalFromRlp(decodeRlp(item, { maxItems: maxFields })),
  )
  const block: Block = { hash, header, context, transactions, withdrawals }
  // The decoder accepts only what the encoder writes.
  encodings.set(block, encoded)
  return block
}

/** Header, context, transactions and withdrawals, each encoded. @throws DecodeError */
function partsOf(encoded: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array] {
  if (encoded.length > maxBlockBytes) throw new DecodeError(`block: ${encoded.length} bytes are above the limit`)
  const [header, context, transactions, withdrawals] = splitRlpList(encoded, { maxItems: 4 })
  if (!header || !context || !transactions || !withdrawals) throw new DecodeError('block: a field is missing')
  return [header, context, transactions, withdrawals]
}

function bytesOf(encoded: Uint8Array, what: string): Uint8Array {
  const item = decodeRlp(encoded, { maxItems: 1 })
  if (!(item instanceof Uint8Array)) throw new DecodeError(`block: ${what} is not bytes`)
  return item
}

export function encodeCertifiedBlock({ block, certificate }: CertifiedBlock | EncodedCertifiedBlock): Uint8Array {
  return encodeRlp([encodeBlock(block), encodeCertificate(certificate)])
}

/** @throws DecodeError */
export function readCertifiedBlock(bytes: Uint8Array): EncodedCertifiedBlock {
  const fields = RlpFields.decode(bytes, 'certified block')
  const block = readBlock(fields.bytes())
  const certificate = decodeCertificate(fields.bytes({ max: 512 }))
  fields.end()
  return { block, certificate }
}
