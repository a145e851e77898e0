import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields } from '../../base/encoding/rlp-fields.js'
import { asciiToBytes, bytesToUint, concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import type { BatchHash } from '../../base/primitives/hashes.js'
import type { BatchIndex } from '../../base/primitives/quantities.js'
import {
  type BatchAttestation,
  type BatchCertificate,
  decodeAttestation,
  decodeBatchCertificate,
  encodeAttestation,
  encodeBatchCertificate,
} from '../../base/protocol/batch-attestation.js'
import { type BatchHeader, batchHash, decodeBatchHeader, encodeBatchHeader } from '../../base/protocol/batch-header.js'
import type { KeyValueStore, StoreChange } from '../../io/storage/key-value-store.js'

/** A batch whose end is known. Its payload is not kept: the blocks give it again. */
export interface SealedBatch {
  readonly header: BatchHeader
  readonly batchHash: BatchHash
  /** KZG commitments of its blobs, 48 bytes each. */
  readonly commitments: readonly Uint8Array[]
}

const sealedPrefix = asciiToBytes('batch/sealed/')
const attestationPrefix = asciiToBytes('batch/attestation/')
const certificatePrefix = asciiToBytes('batch/certificate/')
const certifiedKey = asciiToBytes('batch/certified-up-to')
const indexKey = (prefix: Uint8Array, index: BatchIndex) => concatBytes(prefix, uintToBytes(index, 8))

/**
 * What the batcher keeps, under `batch/` of the node's store: sealed batches, this node's attestations, certificates, and
 * up to where all have one.
 */
export class BatchStore {
  constructor(private readonly store: KeyValueStore) {}

  sealed(index: BatchIndex): SealedBatch | null {
    const bytes = this.store.get(indexKey(sealedPrefix, index))
    return bytes ? decodeSealed(bytes) : null
  }

  async lastSealed(): Promise<SealedBatch | null> {
    const from = indexKey(sealedPrefix, 0)
    const to = indexKey(sealedPrefix, Number.MAX_SAFE_INTEGER)
    for await (const [, value] of this.store.entries({ from, to, reverse: true, limit: 1 })) return decodeSealed(value)
    return null
  }

  certificate(index: BatchIndex): BatchCertificate | null {
    const bytes = this.encodedCertificate(index)
    return bytes ? decodeBatchCertificate(bytes) : null
  }

  encodedCertificate(index: BatchIndex): Uint8Array | null {
    return this.store.get(indexKey(certificatePrefix, index)) ?? null
  }

  /** Every batch up to this one has a certificate here; 0 when the first has none. */
  certifiedUpTo(): BatchIndex {
    return Number(bytesToUint(this.store.get(certifiedKey) ?? new Uint8Array(0)))
  }

  putSealed(batch: SealedBatch): Promise<void> {
    return this.store.write([{ key: indexKey(sealedPrefix, batch.header.batchIndex), value: encodeSealed(batch) }])
  }

  /** This node's own. */
  attestation(index: BatchIndex): BatchAttestation | null {
    const bytes = this.store.get(indexKey(attestationPrefix, index))
    return bytes ? decodeAttestation(bytes) : null
  }

  /** Synced: the signer's own record is, and it signs nothing below its last. */
  putAttestation(attestation: BatchAttestation): Promise<void> {
    const key = indexKey(attestationPrefix, attestation.batchIndex)
    return this.store.write([{ key, value: encodeAttestation(attestation) }], { sync: true })
  }

  /** One write: a crash leaves the certificate with its mark, or neither. */
  putCertificate(certificate: BatchCertificate, certifiedUpTo: BatchIndex): Promise<void> {
    const changes: StoreChange[] = [
      { key: indexKey(certificatePrefix, certificate.batchIndex), value: encodeBatchCertificate(certificate) },
      { key: certifiedKey, value: uintToBytes(certifiedUpTo, 8) },
    ]
    return this.store.write(changes)
  }
}

const encodeSealed = ({ header, commitments }: SealedBatch) => encodeRlp([encodeBatchHeader(header), commitments])

function decodeSealed(bytes: Uint8Array): SealedBatch {
  const fields = RlpFields.decode(bytes, 'sealed batch')
  const header = decodeBatchHeader(fields.bytes())
  const list = RlpFields.of(fields.item(), 'blob commitments')
  const commitments: Uint8Array[] = []
  while (list.remaining > 0) commitments.push(list.bytes({ min: 48, max: 48 }))
  fields.end()
  return { header, batchHash: batchHash(header), commitments }
}
