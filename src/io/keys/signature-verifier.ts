import { type BlsPublicKey, verifyManyOverOneDigest } from '../../base/crypto/bls.js'

/** Signatures by different keys over one digest. */
export interface SignedDigest {
  readonly digest: Uint8Array
  readonly signed: readonly { readonly key: BlsPublicKey; readonly signature: Uint8Array }[]
}

/** Checks BLS signatures; one pairing when all of one digest are valid. */
export interface SignatureVerifier {
  /** Verdict for each signature, in order. */
  verify(batch: SignedDigest): Promise<boolean[]>
  close(): Promise<void>
}

/** Verifies on the calling thread: for tests and the simulation. */
export const inlineSignatureVerifier: SignatureVerifier = {
  verify: batch => Promise.resolve(verifyManyOverOneDigest(batch)),
  close: () => Promise.resolve(),
}
