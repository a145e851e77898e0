import type { BatchHash, Hash32 } from '../../base/primitives/hashes.js'
import type { BatchIndex, Height } from '../../base/primitives/quantities.js'
import { type BatchHeader, batchVersion, hashOfBlobHashes } from '../../base/protocol/batch-header.js'
import type { Block } from '../../base/protocol/block.js'

/** The header of a sealed batch. `withdrawalRoot` is the outbox's storage slot 0 after the last block. */
export function makeBatchHeader({
  parent,
  firstBlock,
  last,
  withdrawalRoot,
  messagesRollingHash,
  blobVersionedHashes,
}: {
  parent: { readonly batchIndex: BatchIndex; readonly batchHash: BatchHash }
  firstBlock: Height
  last: Block
  withdrawalRoot: Hash32
  messagesRollingHash: Hash32
  blobVersionedHashes: readonly Hash32[]
}): BatchHeader {
  return {
    version: batchVersion,
    batchIndex: parent.batchIndex + 1,
    parentBatchHash: parent.batchHash,
    setId: last.context.setId,
    firstBlock,
    lastBlock: last.header.number,
    lastBlockHash: last.hash,
    postStateRoot: last.header.stateRoot,
    withdrawalRoot,
    messagesConsumed: last.context.messagesConsumed,
    messagesRollingHash,
    timestamp: last.header.timestamp,
    blobHashesHash: hashOfBlobHashes(blobVersionedHashes),
  }
}
