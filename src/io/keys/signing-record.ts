import type { Hash32 } from '../../base/primitives/hashes.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import type { BatchIndex, Height, Round } from '../../base/primitives/quantities.js'

/** The last message of one kind that was signed: where, and the digest. Height 0 is before the first. */
export interface SignedPosition {
  readonly height: Height
  readonly round: Round
  readonly digest: Hash32
}

/** Everything that a signer must remember to never sign twice. */
export interface SigningRecord {
  readonly proposal: SignedPosition
  readonly prevote: SignedPosition
  readonly precommit: SignedPosition
  readonly attestation: { readonly batchIndex: BatchIndex; readonly digest: Hash32 }
}

const never: SignedPosition = { height: 0, round: 0, digest: zeroHash }

/** The record of a key that signed nothing. */
export const emptyRecord: SigningRecord = {
  proposal: never,
  prevote: never,
  precommit: never,
  attestation: { batchIndex: 0, digest: zeroHash },
}

/** Where the record lives. One signer at a time. */
export interface SigningRecordStore {
  /** What was saved last. */
  load(): SigningRecord
  /** Resolves when the record (or one saved after it) survives power loss. @throws KeyError SIGNING_RECORD_UNWRITABLE */
  save(record: SigningRecord): Promise<void>
  close(): Promise<void>
}
