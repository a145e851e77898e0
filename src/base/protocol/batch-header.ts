import { keccak256Hex } from '../crypto/keccak.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import { bytesToHex, concatBytes, hexToBytes } from '../primitives/bytes.js'
import { type BatchHash, type BlockHash, type Hash32, type StateRoot, zeroHash } from '../primitives/hashes.js'
import type { BatchIndex, Height, SetId } from '../primitives/quantities.js'
import { structHash, typeHash, uintWord } from './signing-domain.js'

/** What L1 keeps of a batch of blocks (protocol.md section 4); the same struct as in Rollup.sol. */
export interface BatchHeader {
  readonly version: number
  readonly batchIndex: BatchIndex
  readonly parentBatchHash: BatchHash
  readonly setId: SetId
  readonly firstBlock: Height
  readonly lastBlock: Height
  readonly lastBlockHash: BlockHash
  readonly postStateRoot: StateRoot
  /** Root of the L2-to-L1 outbox after the last block. */
  readonly withdrawalRoot: Hash32
  /** L1 messages consumed from genesis to the last block. */
  readonly messagesConsumed: number
  readonly messagesRollingHash: Hash32
  /** Seconds, of the last block. */
  readonly timestamp: number
  /** keccak256 of the concatenated blob versioned hashes. */
  readonly blobHashesHash: Hash32
}

/** The only version so far. */
export const batchVersion = 1

const batchHeaderType = typeHash(
  'BatchHeader(uint8 version,uint64 batchIndex,bytes32 parentBatchHash,uint64 setId,uint64 firstBlock,uint64 lastBlock,bytes32 lastBlockHash,bytes32 postStateRoot,bytes32 withdrawalRoot,uint64 messagesConsumed,bytes32 messagesRollingHash,uint64 timestamp,bytes32 blobHashesHash)',
)

/** EIP-712 struct hash of the header. */
export function batchHash(header: BatchHeader): BatchHash {
  return bytesToHex(
    structHash(
      batchHeaderType,
      uintWord(header.version),
      uintWord(header.batchIndex),
      hexToBytes(header.parentBatchHash),
      uintWord(header.setId),
      uintWord(header.firstBlock),
      uintWord(header.lastBlock),
      hexToBytes(header.lastBlockHash),
      hexToBytes(header.postStateRoot),
      hexToBytes(header.withdrawalRoot),
      uintWord(header.messagesConsumed),
      hexToBytes(header.messagesRollingHash),
      uintWord(header.timestamp),
      hexToBytes(header.blobHashesHash),
    ),
  )
}

/** Batch 0: genesis, never posted. */
export function genesisBatchHeader({
  blockHash,
  stateRoot,
}: {
  blockHash: BlockHash
  stateRoot: StateRoot
}): BatchHeader {
  return {
    version: batchVersion,
    batchIndex: 0,
    parentBatchHash: zeroHash,
    setId: 0,
    firstBlock: 0,
    lastBlock: 0,
    lastBlockHash: blockHash,
    postStateRoot: stateRoot,
    withdrawalRoot: zeroHash,
    messagesConsumed: 0,
    messagesRollingHash: zeroHash,
    timestamp: 0,
    blobHashesHash: zeroHash,
  }
}

/** keccak256 over the versioned hashes in order. */
export function hashOfBlobHashes(versionedHashes: readonly Hash32[]): Hash32 {
  return keccak256Hex(concatBytes(...versionedHashes.map(hexToBytes)))
}

export function encodeBatchHeader(header: BatchHeader): Uint8Array {
  return encodeRlp([
    rlpUint(header.version),
    rlpUint(header.batchIndex),
    rlpHex(header.parentBatchHash),
    rlpUint(header.setId),
    rlpUint(header.firstBlock),
    rlpUint(header.lastBlock),
    rlpHex(header.lastBlockHash),
    rlpHex(header.postStateRoot),
    rlpHex(header.withdrawalRoot),
    rlpUint(header.messagesConsumed),
    rlpHex(header.messagesRollingHash),
    rlpUint(header.timestamp),
    rlpHex(header.blobHashesHash),
  ])
}

/** @throws DecodeError */
export function decodeBatchHeader(bytes: Uint8Array): BatchHeader {
  const fields = RlpFields.decode(bytes, 'batch header')
  const header: BatchHeader = {
    version: Number(fields.uint(8)),
    batchIndex: fields.safeUint(),
    parentBatchHash: fields.hash(),
    setId: fields.safeUint(),
    firstBlock: fields.safeUint(),
    lastBlock: fields.safeUint(),
    lastBlockHash: fields.hash(),
    postStateRoot: fields.hash(),
    withdrawalRoot: fields.hash(),
    messagesConsumed: fields.safeUint(),
    messagesRollingHash: fields.hash(),
    timestamp: fields.safeUint(),
    blobHashesHash: fields.hash(),
  }
  fields.end()
  return header
}
