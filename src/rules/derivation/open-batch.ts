import { DecodeError } from '../../base/encoding/decode-error.js'
import type { BatchHeader } from '../../base/protocol/batch-header.js'
import { blobsToBytes } from '../batch/blob-framing.js'
import type { Codec } from '../batch/codec.js'
import { unpackPayload } from '../batch/packing.js'
import { type BatchPayload, decodePayload } from '../batch/payload.js'

/** The payload in a batch's blobs, agreeing with the batch's header wherever both say the same. @throws DecodeError */
export function openBatch({
  header,
  blobs,
  codec,
}: {
  header: BatchHeader
  blobs: readonly Uint8Array[]
  codec: Codec
}): BatchPayload {
  const payload = decodePayload(unpackPayload(blobsToBytes(blobs), codec))
  const last = payload.blocks.at(-1)!
  const agree = (said: number, derived: number, field: string) => {
    if (said !== derived) throw new DecodeError(`batch: the payload has another ${field}`, { said, derived })
  }
  agree(header.setId, payload.setId, 'setId')
  agree(header.firstBlock, payload.firstBlock, 'firstBlock')
  agree(header.lastBlock, payload.firstBlock + payload.blocks.length - 1, 'lastBlock')
  agree(header.timestamp, Math.floor(last.timestampMs / 1_000), 'timestamp')
  agree(header.messagesConsumed, last.messagesConsumed, 'messagesConsumed')
  return payload
}
