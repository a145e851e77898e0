import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields } from '../encoding/rlp-fields.js'
import type { BlockHash } from '../primitives/hashes.js'
import { type BlockContext, decodeContext, encodeContext } from './block-context.js'
import { type BlockHeader, headerFromRlp, headerHash, headerToRlp } from './block-header.js'
import { decodeCertificate, encodeCertificate, type QuorumCertificate } from './quorum-certificate.js'
import { type Withdrawal, withdrawalFromRlp, withdrawalToRlp } from './withdrawal.js'

/** An Ethereum block and the context behind its parentBeaconBlockRoot; `hash` is that of the header. */
export interface Block {
  readonly hash: BlockHash
  readonly header: BlockHeader
  readonly context: BlockContext
  /** Signed transactions, each in its EIP-2718 encoding. */
  readonly transactions: readonly Uint8Array[]
  readonly withdrawals: readonly Withdrawal[]
}

/** A block with the certificate that decided it. */
export interface CertifiedBlock {
  readonly block: Block
  readonly certificate: QuorumCertificate
}

/** Largest encoded block that a node reads, in bytes. */
export const maxBlockBytes = 8 * 1024 * 1024

/** A block is written to the log, to peers and to the execution thread: its encoding is made once. */
const encodings = new WeakMap<Block, Uint8Array>()

/** Canonical encoding; do not change the bytes. */
export function encodeBlock(block: Block): Uint8Array {
  let bytes = encodings.get(block)
  if (!bytes) {
    const { header, context, transactions, withdrawals } = block
    bytes = encodeRlp([headerToRlp(header), encodeContext(context), transactions, withdrawals.map(withdrawalToRlp)])
    encodings.set(block, bytes)
  }
  return bytes
}

/** The hash is computed from the header, never read. @throws DecodeError */
export function decodeBlock(bytes: Uint8Array): Block {
  if (bytes.length > maxBlockBytes) throw new DecodeError(`block: ${bytes.length} bytes are above the limit`)
  const fields = RlpFields.decode(bytes, 'block')
  const header = headerFromRlp(fields.item())
  const context = decodeContext(fields.bytes({ max: 1024 }))
  const transactions = fields.items().map(item => {
    if (!(item instanceof Uint8Array) || item.length === 0) throw new DecodeError('block: a transaction is not bytes')
    return item
  })
  const withdrawals = fields.items({ max: 4096 }).map(withdrawalFromRlp)
  fields.end()
  const block: Block = { hash: headerHash(header), header, context, transactions, withdrawals }
  // The decoder accepts only what the encoder writes.
  encodings.set(block, bytes)
  return block
}

export function encodeCertifiedBlock({ block, certificate }: CertifiedBlock): Uint8Array {
  return encodeRlp([encodeBlock(block), encodeCertificate(certificate)])
}

/** @throws DecodeError */
export function decodeCertifiedBlock(bytes: Uint8Array): CertifiedBlock {
  const fields = RlpFields.decode(bytes, 'certified block')
  const block = decodeBlock(fields.bytes())
  const certificate = decodeCertificate(fields.bytes({ max: 512 }))
  fields.end()
  return { block, certificate }
}
