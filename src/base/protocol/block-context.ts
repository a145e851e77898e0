import { keccak256Hex } from '../crypto/keccak.js'
import { merkleRoot } from '../crypto/merkle.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import { bytesToHex } from '../primitives/bytes.js'
import type { ContextHash, Hash32, L1BlockHash } from '../primitives/hashes.js'
import type { L1BlockNumber, MemberIndex, SetId } from '../primitives/quantities.js'

/** What consensus adds to an Ethereum block; its hash is the header's parentBeaconBlockRoot (protocol.md section 2). */
export interface BlockContext {
  /** The protocol version by which the block is judged (spec/upgrades.md). */
  readonly version: number
  readonly setId: SetId
  readonly proposerIndex: MemberIndex
  readonly timestampMs: number
  readonly l1OriginNumber: L1BlockNumber
  readonly l1OriginHash: L1BlockHash
  /** L1 messages consumed from genesis to this block, inclusive. */
  readonly messagesConsumed: number
  /** Root of the tree of contract messages consumed so far. */
  readonly inboxRoot: Hash32
}

/** inboxRoot while no contract message was consumed. */
export const emptyInboxRoot: Hash32 = bytesToHex(merkleRoot([]))

export function encodeContext(context: BlockContext): Uint8Array {
  return encodeRlp([
    rlpUint(context.version),
    rlpUint(context.setId),
    rlpUint(context.proposerIndex),
    rlpUint(context.timestampMs),
    rlpUint(context.l1OriginNumber),
    rlpHex(context.l1OriginHash),
    rlpUint(context.messagesConsumed),
    rlpHex(context.inboxRoot),
  ])
}

/** @throws DecodeError */
export function decodeContext(bytes: Uint8Array): BlockContext {
  const fields = RlpFields.decode(bytes, 'block context')
  const context: BlockContext = {
    version: Number(fields.uint(16)),
    setId: fields.safeUint(),
    proposerIndex: Number(fields.uint(16)),
    timestampMs: fields.safeUint(),
    l1OriginNumber: fields.safeUint(),
    l1OriginHash: fields.hash(),
    messagesConsumed: fields.safeUint(),
    inboxRoot: fields.hash(),
  }
  fields.end()
  return context
}

/** keccak256(RLP(context)): the header's parentBeaconBlockRoot (EIP-4788). */
export function contextHash(context: BlockContext): ContextHash {
  return keccak256Hex(encodeContext(context))
}
