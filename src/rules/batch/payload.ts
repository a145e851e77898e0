import { DecodeError } from '../../base/encoding/decode-error.js'
import { concatBytes } from '../../base/primitives/bytes.js'
import type { Height, L1BlockNumber, MemberIndex, SetId } from '../../base/primitives/quantities.js'
import type { Block } from '../../base/protocol/block.js'
import { maxTransactionBytes } from '../../base/protocol/transaction.js'
import { encodeVarint, maxVarintLength, VarintReader } from './varint.js'

/** What a batch keeps of one block; all else of the block is derived (rules/derivation). */
export interface PayloadBlock {
  readonly timestampMs: number
  readonly l1OriginNumber: L1BlockNumber
  readonly proposerIndex: MemberIndex
  /** From genesis to this block, inclusive. */
  readonly messagesConsumed: number
  /** EIP-2718 encodings. */
  readonly transactions: readonly Uint8Array[]
}

/** A run of whole blocks of one sequencer set (spec/batches.md). */
export interface BatchPayload {
  readonly setId: SetId
  readonly firstBlock: Height
  readonly blocks: readonly PayloadBlock[]
}

/** The only version so far. */
export const payloadVersion = 1
/** Largest payload before compression, in bytes: bounds memory and time of whoever reads a batch. */
export const maxPayloadBytes = 4 * 1024 * 1024
/** Most blocks of a batch. */
export const maxPayloadBlocks = 65_536
/** No transaction that pays for its gas is shorter (a creation without code, r = s = 1), so their number is bounded by the bytes. */
const minTransactionBytes = 12

/** Most bytes that a payload's start and one block's fields take, its transactions aside. */
export const payloadOverhead = 1 + 2 * maxVarintLength + 5 * maxVarintLength
/** Most bytes that a transaction takes beyond its own. */
export const transactionOverhead = encodeVarint(maxTransactionBytes).length

/** The part of a block that travels. */
export function payloadBlockOf({ context, transactions }: Block): PayloadBlock {
  const { timestampMs, l1OriginNumber, proposerIndex, messagesConsumed } = context
  return { timestampMs, l1OriginNumber, proposerIndex, messagesConsumed, transactions }
}

/** Start of a payload; the blocks follow, each by `encodePayloadBlock`. */
export function encodePayloadStart({ setId, firstBlock }: Pick<BatchPayload, 'setId' | 'firstBlock'>): Uint8Array {
  return concatBytes(Uint8Array.of(payloadVersion), encodeVarint(setId), encodeVarint(firstBlock))
}

/** One block as differences to the block before it in the batch; the first of a batch (previous null) in full. */
export function encodePayloadBlock(block: PayloadBlock, previous: PayloadBlock | null): Uint8Array {
  const parts = [
    encodeVarint(block.timestampMs - (previous?.timestampMs ?? 0)),
    encodeVarint(block.l1OriginNumber - (previous?.l1OriginNumber ?? 0)),
    encodeVarint(block.proposerIndex),
    encodeVarint(block.messagesConsumed - (previous?.messagesConsumed ?? 0)),
    encodeVarint(block.transactions.length),
  ]
  for (const transaction of block.transactions) parts.push(encodeVarint(transaction.length), transaction)
  return concatBytes(...parts)
}

/** The whole payload at once. */
export function encodePayload({ setId, firstBlock, blocks }: BatchPayload): Uint8Array {
  return concatBytes(
    encodePayloadStart({ setId, firstBlock }),
    ...blocks.map((block, i) => encodePayloadBlock(block, blocks[i - 1] ?? null)),
  )
}

/** Transactions are views into the input; memory is bounded by `maxPayloadBytes`. @throws DecodeError */
export function decodePayload(bytes: Uint8Array): BatchPayload {
  if (bytes.length > maxPayloadBytes) throw new DecodeError('batch payload: too long', { length: bytes.length })
  const reader = new VarintReader(bytes, 'batch payload')
  const version = reader.take(1)[0]
  if (version !== payloadVersion) throw new DecodeError('batch payload: unknown version', { version })
  const setId = reader.uint()
  const firstBlock = reader.uint()
  const blocks: PayloadBlock[] = []
  do {
    if (blocks.length === maxPayloadBlocks) throw new DecodeError('batch payload: too many blocks')
    blocks.push(readBlock(reader, blocks.at(-1) ?? null))
  } while (!reader.atEnd)
  return { setId, firstBlock, blocks }
}

function readBlock(reader: VarintReader, previous: PayloadBlock | null): PayloadBlock {
  const after = (value: number | undefined) => {
    const from = value ?? 0
    return from + reader.uint(Number.MAX_SAFE_INTEGER - from)
  }
  const timestampMs = after(previous?.timestampMs)
  const l1OriginNumber = after(previous?.l1OriginNumber)
  const proposerIndex = reader.uint(0xffff)
  const messagesConsumed = after(previous?.messagesConsumed)
  const transactions: Uint8Array[] = []
  for (let left = reader.uint(maxPayloadBytes); left > 0; left--) {
    const length = reader.uint(maxTransactionBytes)
    if (length < minTransactionBytes) throw new DecodeError('batch payload: a transaction is too short', { length })
    transactions.push(reader.take(length))
  }
  return { timestampMs, l1OriginNumber, proposerIndex, messagesConsumed, transactions }
}
