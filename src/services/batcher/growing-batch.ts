import type { Block } from '../../base/protocol/block.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { Compression } from '../../io/compression/compression.js'
import { bytesToBlobs } from '../../rules/batch/blob-framing.js'
import { PackedPayload } from '../../rules/batch/packing.js'
import { encodePayloadBlock, encodePayloadStart, payloadBlockOf } from '../../rules/batch/payload.js'
import { batchCapacity } from '../../rules/batch/seal-policy.js'

/** A batch from its first block on: the rules of packing, driven with a compression that runs elsewhere. One call at a time. */
export class GrowingBatch {
  private readonly payload: PackedPayload
  private lastBlock: Block

  constructor(
    readonly first: Block,
    parameters: Pick<ProtocolParameters, 'maxBlobsPerBatch'>,
    private readonly compression: Compression,
  ) {
    this.payload = new PackedPayload(batchCapacity(parameters))
    this.payload.add(encodePayloadStart({ setId: first.context.setId, firstBlock: first.header.number }))
    this.payload.add(encodePayloadBlock(payloadBlockOf(first), null))
    this.lastBlock = first
  }

  get last(): Block {
    return this.lastBlock
  }

  /** Adds the next block; false when the batch must end before it. */
  async tryAdd(block: Block): Promise<boolean> {
    const bytes = encodePayloadBlock(payloadBlockOf(block), payloadBlockOf(this.lastBlock))
    if (this.payload.room(bytes.length) === 'repack-first') await this.repack()
    if (this.payload.room(bytes.length) !== 'fits') return false
    this.payload.add(bytes)
    this.lastBlock = block
    return true
  }

  /** The blobs of the batch as it stands. */
  async blobs(): Promise<Uint8Array[]> {
    if (this.payload.isStale) await this.repack()
    return bytesToBlobs(this.payload.packed(this.compression.codecId))
  }

  private async repack(): Promise<void> {
    this.payload.repacked(await this.compression.compress(this.payload.raw()))
  }
}
