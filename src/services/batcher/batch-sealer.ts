import { type BatchHash, type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import type { BatchIndex, Height } from '../../base/primitives/quantities.js'
import { batchHash } from '../../base/protocol/batch-header.js'
import type { Block } from '../../base/protocol/block.js'
import { outboxAddress } from '../../base/protocol/protocol-parameters.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Compression } from '../../io/compression/compression.js'
import type { ExecutionClient } from '../../io/execution/execution-client.js'
import type { Kzg } from '../../io/kzg/kzg.js'
import { makeBatchHeader } from '../../rules/batch/make-batch-header.js'
import { isSealedBefore, isSealedBy } from '../../rules/batch/seal-policy.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import type { BatchStore, SealedBatch } from './batch-store.js'
import { GrowingBatch } from './growing-batch.js'

export interface SealerPorts {
  readonly execution: Pick<ExecutionClient, 'storageAt'>
  /** The block of a height, or null while this node does not have it. */
  readonly blockAt: (height: Height) => Promise<Block | null>
  readonly sets: { setAt(height: Height): SequencerSet }
  readonly l1View: { rollingHashAt(messagesConsumed: number): Hash32 | null }
  readonly compression: Compression
  readonly kzg: Kzg
  readonly store: Pick<BatchStore, 'putSealed'>
}

/** Where a batch hangs: the one before it. */
export interface BatchParent {
  readonly batchIndex: BatchIndex
  readonly batchHash: BatchHash
  readonly lastBlock: Height
}

const outboxRootSlot: Hash32 = zeroHash

/**
 * Walks the chain block by block and seals batches by the rules alone, from the batch after `parent` on. State changes only
 * after what it waited for has come, so a call that throws can be repeated.
 */
export class BatchSealer {
  private growing: GrowingBatch | null = null
  private isDue = false
  private nextHeight: Height

  constructor(
    private readonly protocol: Pick<ProtocolSchedule, 'at'>,
    private readonly ports: SealerPorts,
    private parent: BatchParent,
  ) {
    this.nextHeight = parent.lastBlock + 1
  }

  get lastSealed(): BatchIndex {
    return this.parent.batchIndex
  }

  /** Height of the block that it reads next. */
  get next(): Height {
    return this.nextHeight
  }

  /** The next sealed batch, stored; or what it waits for: a block, or this node's view of L1 to catch up. */
  async advance(): Promise<SealedBatch | 'no-block' | 'l1-behind'> {
    while (!this.isDue) {
      const block = await this.ports.blockAt(this.nextHeight)
      // Of what the network decided under another schedule this node knows no batches.
      if (!block || block.context.version !== this.protocol.at(this.nextHeight).version) return 'no-block'
      await this.take(block)
    }
    return this.seal(this.growing!)
  }

  private async take(block: Block): Promise<void> {
    const { number } = block.header
    const { parameters } = this.protocol.at(number)
    const { growing } = this
    if (growing && (isSealedBefore(block, growing.last) || !(await growing.tryAdd(block)))) {
      this.isDue = true
      return
    }
    this.growing ??= new GrowingBatch(block, parameters, this.ports.compression)
    this.nextHeight++
    this.isDue = isSealedBy({
      first: this.growing.first,
      last: block,
      nextSetId: this.ports.sets.setAt(number + 1).setId,
      parameters,
    })
  }

  private async seal(growing: GrowingBatch): Promise<SealedBatch | 'l1-behind'> {
    const { first, last } = growing
    const { messagesConsumed } = last.context
    const messagesRollingHash = messagesConsumed === 0 ? zeroHash : this.ports.l1View.rollingHashAt(messagesConsumed)
    if (messagesRollingHash === null) return 'l1-behind'
    const withdrawalRoot = await this.ports.execution.storageAt(outboxAddress, outboxRootSlot, last.header.number)
    const commitments: Uint8Array[] = []
    const blobVersionedHashes: Hash32[] = []
    for (const blob of await growing.blobs()) {
      const { commitment, versionedHash } = await this.ports.kzg.commitment(blob)
      commitments.push(commitment)
      blobVersionedHashes.push(versionedHash)
    }
    const header = makeBatchHeader({
      parent: this.parent,
      firstBlock: first.header.number,
      last,
      withdrawalRoot,
      messagesRollingHash,
      blobVersionedHashes,
    })
    const sealed: SealedBatch = { header, batchHash: batchHash(header), commitments }
    await this.ports.store.putSealed(sealed)
    this.parent = { batchIndex: header.batchIndex, batchHash: sealed.batchHash, lastBlock: header.lastBlock }
    this.growing = null
    this.isDue = false
    return sealed
  }
}
