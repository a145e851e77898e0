import type { SetId } from '../../base/primitives/quantities.js'
import type { Block } from '../../base/protocol/block.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import { leastTransactionGas } from '../../base/protocol/transaction.js'
import { framedCapacity } from './blob-framing.js'
import { packingOverhead } from './packing.js'
import { maxPayloadBlocks, maxPayloadBytes, payloadOverhead, transactionOverhead } from './payload.js'

/** Bytes that the packed payload of a batch may take. */
export function batchCapacity({ maxBlobsPerBatch }: Pick<ProtocolParameters, 'maxBlobsPerBatch'>): number {
  return framedCapacity(maxBlobsPerBatch)
}

/**
 * Whether the batch that begins with `first` ends with `last`, by number of blocks, by time, or because the next block has
 * another set. It also ends before a block of another version (`isSealedBefore`) and before one that it has no room for
 * (`PackedPayload.room`). All of it follows from the chain.
 */
export function isSealedBy({
  first,
  last,
  nextSetId,
  parameters,
}: {
  first: Pick<Block, 'header' | 'context'>
  last: Pick<Block, 'header' | 'context'>
  nextSetId: SetId
  /** Those that hold at the batch's heights. */
  parameters: Pick<ProtocolParameters, 'batchBlocks' | 'batchIntervalMs'>
}): boolean {
  return (
    last.header.number - first.header.number + 1 >= parameters.batchBlocks ||
    last.context.timestampMs - first.context.timestampMs >= parameters.batchIntervalMs ||
    last.context.setId !== nextSetId
  )
}

/**
 * Whether the batch that holds `last` ends before `next`, the decided block after it, because that has another protocol
 * version. A schedule does not tell: the network may not take an upgrade that this node's file has.
 */
export function isSealedBefore(next: Pick<Block, 'context'>, last: Pick<Block, 'context'>): boolean {
  return next.context.version !== last.context.version
}

/** Why these parameters could produce a block that no batch has room for, or null when every block fits a batch of its own. */
export function batchParametersProblem(parameters: ProtocolParameters): string | null {
  const { maxBlobsPerBatch, batchBlocks, batchIntervalMs, maxBlockTransactionBytes, gasLimit } = parameters
  if (!(maxBlobsPerBatch >= 1)) return 'maxBlobsPerBatch must be at least 1'
  if (!(batchBlocks >= 1 && batchBlocks <= maxPayloadBlocks)) return `batchBlocks must be 1 to ${maxPayloadBlocks}`
  if (!(batchIntervalMs >= 0)) return 'batchIntervalMs must not be negative'
  const largest = largestBlock({ maxBlockTransactionBytes, gasLimit })
  const capacity = Math.min(batchCapacity(parameters) - packingOverhead, maxPayloadBytes)
  if (largest > capacity) return `a block may take ${largest} bytes of a batch, which holds ${capacity}`
  return null
}

/** Most bytes of a payload that holds one block. */
function largestBlock({
  maxBlockTransactionBytes,
  gasLimit,
}: Pick<ProtocolParameters, 'maxBlockTransactionBytes' | 'gasLimit'>): number {
  const transactions = Math.floor(gasLimit / leastTransactionGas)
  return payloadOverhead + maxBlockTransactionBytes + transactions * transactionOverhead
}
