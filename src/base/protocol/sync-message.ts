import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpUint } from '../encoding/rlp-fields.js'
import type { Height } from '../primitives/quantities.js'
import { type CertifiedBlock, type EncodedCertifiedBlock, encodeCertifiedBlock, readCertifiedBlock } from './block.js'
import { decodeCertificate, encodeCertificate, type QuorumCertificate } from './quorum-certificate.js'

/** What nodes say to one another on the blocks channel. */
export type SyncMessage<Certified = EncodedCertifiedBlock> =
  /** The sender's head, proved. */
  | { readonly kind: 'head'; readonly certificate: QuorumCertificate }
  /** A decided block, pushed to a follower. */
  | { readonly kind: 'block'; readonly certified: Certified }
  /** Asks for every new block to be pushed, or no longer. */
  | { readonly kind: 'follow'; readonly on: boolean }

const kinds = ['head', 'block', 'follow'] as const

export function encodeSyncMessage(message: SyncMessage<CertifiedBlock | EncodedCertifiedBlock>): Uint8Array {
  const kind = rlpUint(kinds.indexOf(message.kind))
  switch (message.kind) {
    case 'head':
      return encodeRlp([kind, encodeCertificate(message.certificate)])
    case 'block':
      return encodeRlp([kind, encodeCertifiedBlock(message.certified)])
    case 'follow':
      return encodeRlp([kind, rlpUint(message.on ? 1 : 0)])
  }
}

/** @throws DecodeError */
export function decodeSyncMessage(bytes: Uint8Array): SyncMessage {
  const fields = RlpFields.decode(bytes, 'sync message')
  const message = readMessage(fields, kinds[Number(fields.uint(8))])
  fields.end()
  return message
}

function readMessage(fields: RlpFields, kind: SyncMessage['kind'] | undefined): SyncMessage {
  switch (kind) {
    case 'head':
      return { kind, certificate: decodeCertificate(fields.bytes({ max: 512 })) }
    case 'block':
      return { kind, certified: readCertifiedBlock(fields.bytes()) }
    case 'follow':
      return { kind, on: fields.boolean() }
    default:
      throw new DecodeError('sync message: unknown kind')
  }
}

/** Asks for certified blocks `from`, `from + 1`, …, at most `count`. */
export interface BlockRangeRequest {
  readonly from: Height
  readonly count: number
}

/** Most blocks of one answer. */
export const maxBlockRange = 128
/** Bytes after which an answer is cut short (at least one block is always given). */
export const blockRangeBytes = 4 * 1024 * 1024

export function encodeBlockRangeRequest({ from, count }: BlockRangeRequest): Uint8Array {
  return encodeRlp([rlpUint(from), rlpUint(count)])
}

/** @throws DecodeError */
export function decodeBlockRangeRequest(bytes: Uint8Array): BlockRangeRequest {
  const fields = RlpFields.decode(bytes, 'block range request')
  const request = { from: fields.safeUint(), count: fields.safeUint() }
  fields.end()
  if (request.count < 1 || request.count > maxBlockRange)
    throw new DecodeError('block range request: count is out of bounds')
  return request
}

export function encodeBlockRange(blocks: readonly Uint8Array[]): Uint8Array {
  return encodeRlp(blocks)
}

/** @throws DecodeError */
export function decodeBlockRange(bytes: Uint8Array): EncodedCertifiedBlock[] {
  const fields = RlpFields.decode(bytes, 'block range')
  const blocks: EncodedCertifiedBlock[] = []
  while (fields.remaining > 0) {
    if (blocks.length === maxBlockRange) throw new DecodeError('block range: too many blocks')
    blocks.push(readCertifiedBlock(fields.bytes()))
  }
  return blocks
}
