import { keccak256Hex } from '../crypto/keccak.js'
import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp, type RlpItem } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import type { Hex } from '../primitives/bytes.js'
import {
  type Address,
  type BlockHash,
  type ContextHash,
  type Hash32,
  type StateRoot,
  zeroHash,
} from '../primitives/hashes.js'
import type { Height, Wei } from '../primitives/quantities.js'

/** Hash of an empty list of ommers (yellow paper). */
export const emptyOmmersHash: Hash32 = '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347'
/** sha256 of nothing: requestsHash of a block without execution requests (EIP-7685). */
export const emptyRequestsHash: Hash32 = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
/** Root of an empty Merkle Patricia trie. */
export const emptyTrieRoot: Hash32 = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'

/**
 * Header of an ordinary Ethereum block of the Prague format or later (21 fields). Fields that proof of stake fixes (ommers,
 * difficulty, nonce, extra data, blob gas) have one legal value on this chain and are not carried here.
 */
export interface BlockHeader {
  readonly parentHash: BlockHash
  readonly feeRecipient: Address
  readonly stateRoot: StateRoot
  readonly transactionsRoot: Hash32
  readonly receiptsRoot: Hash32
  /** 256 bytes. */
  readonly logsBloom: Hex
  readonly number: Height
  readonly gasLimit: number
  readonly gasUsed: number
  /** Seconds. */
  readonly timestamp: number
  readonly prevRandao: Hash32
  readonly baseFeePerGas: Wei
  readonly withdrawalsRoot: Hash32
  /** Hash of the block context (EIP-4788). */
  readonly parentBeaconBlockRoot: ContextHash
  readonly requestsHash: Hash32
}

const empty = new Uint8Array(0)
const zeroNonce = new Uint8Array(8)

/** The header's 21 RLP fields in the order of Ethereum. */
export function headerToRlp(header: BlockHeader): RlpItem[] {
  return [
    rlpHex(header.parentHash),
    rlpHex(emptyOmmersHash),
    rlpHex(header.feeRecipient),
    rlpHex(header.stateRoot),
    rlpHex(header.transactionsRoot),
    rlpHex(header.receiptsRoot),
    rlpHex(header.logsBloom),
    empty,
    rlpUint(header.number),
    rlpUint(header.gasLimit),
    rlpUint(header.gasUsed),
    rlpUint(header.timestamp),
    empty,
    rlpHex(header.prevRandao),
    zeroNonce,
    rlpUint(header.baseFeePerGas),
    rlpHex(header.withdrawalsRoot),
    empty,
    empty,
    rlpHex(header.parentBeaconBlockRoot),
    rlpHex(header.requestsHash),
  ]
}

/** Hash of the block, as every Ethereum tool computes it; what the sequencers vote on. */
export function headerHash(header: BlockHeader): BlockHash {
  return keccak256Hex(encodeRlp(headerToRlp(header)))
}

/** Reads the 21 fields. @throws DecodeError also when a fixed field has another value */
export function headerFromRlp(item: RlpItem): BlockHeader {
  const fields = RlpFields.of(item, 'block header')
  const fixed = (condition: boolean, name: string) => {
    if (!condition) throw new DecodeError(`block header: ${name} must have its fixed value`)
  }
  const parentHash = fields.hash()
  fixed(fields.hash() === emptyOmmersHash, 'ommersHash')
  const feeRecipient = fields.address()
  const stateRoot = fields.hash()
  const transactionsRoot = fields.hash()
  const receiptsRoot = fields.hash()
  const logsBloom = fields.hex(256)
  fixed(fields.uint(64) === 0n, 'difficulty')
  const number = fields.safeUint()
  const gasLimit = fields.safeUint()
  const gasUsed = fields.safeUint()
  const timestamp = fields.safeUint()
  fixed(fields.bytes({ max: 32 }).length === 0, 'extraData')
  const prevRandao = fields.hash()
  fixed(
    fields.bytes({ min: 8, max: 8 }).every(byte => byte === 0),
    'nonce',
  )
  const baseFeePerGas = fields.uint(64)
  const withdrawalsRoot = fields.hash()
  fixed(fields.uint(64) === 0n, 'blobGasUsed')
  fixed(fields.uint(64) === 0n, 'excessBlobGas')
  const parentBeaconBlockRoot = fields.hash()
  const requestsHash = fields.hash()
  fields.end()
  return {
    parentHash,
    feeRecipient,
    stateRoot,
    transactionsRoot,
    receiptsRoot,
    logsBloom,
    number,
    gasLimit,
    gasUsed,
    timestamp,
    prevRandao,
    baseFeePerGas,
    withdrawalsRoot,
    parentBeaconBlockRoot,
    requestsHash,
  }
}

/** The logs bloom of a header's RLP, nothing else of it being checked. @throws DecodeError */
export function logsBloomFromRlp(item: RlpItem): Uint8Array {
  const fields = RlpFields.of(item, 'block header')
  for (let before = 0; before < 6; before++) fields.item()
  return fields.bytes({ min: 256, max: 256 })
}

/** Mix of parent hash and height that fills prevRandao; predictable, no source of randomness. */
export function prevRandaoOf(parentHash: BlockHash, height: Height): Hash32 {
  return keccak256Hex(encodeRlp([rlpHex(parentHash), rlpUint(height)]))
}

/** Parent hash of genesis. */
export const genesisParentHash: BlockHash = zeroHash
