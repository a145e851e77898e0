import type { Hash32 } from '../../base/primitives/hashes.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'

/** What a blob transaction names a blob by. */
export interface BlobCommitment {
  /** KZG commitment, 48 bytes (EIP-4844). */
  readonly commitment: Uint8Array
  /** 0x01 ‖ last 31 bytes of sha256(commitment). */
  readonly versionedHash: Hash32
}

/** The KZG operations that batches need. Blobs have 131,072 bytes of field elements below the modulus. @throws KzgError */
export interface Kzg {
  commitment(blob: Uint8Array): Promise<BlobCommitment>
  /** The 128 cell proofs of a version-1 sidecar (EIP-7594), 48 bytes each. */
  cellProofs(blob: Uint8Array): Promise<Uint8Array[]>
  close(): Promise<void>
}

/** KZG_UNAVAILABLE: no native library for this platform is installed. KZG_BAD_BLOB: the bytes are no blob. */
export class KzgError extends MorphismError {
  override readonly name = 'KzgError'
}
