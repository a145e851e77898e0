import {
  type AggregateClaim,
  type BlsPublicKey,
  verifyAggregatesTogether,
  verifyManyOverOneDigest,
} from '../../base/crypto/bls.js'

/** Signatures by different keys over one digest. */
export interface SignedDigest {
  readonly digest: Uint8Array
  readonly signed: readonly { readonly key: BlsPublicKey; readonly signature: Uint8Array }[]
}

/** Checks BLS signatures; one pairing for what is checked together and valid. */
export interface SignatureVerifier {
  /** Verdict for each signature, in order. */
  verify(batch: SignedDigest): Promise<boolean[]>
  /** Whether all these aggregate signatures are valid. False says nothing of which is not. */
  verifyAggregates(claims: readonly AggregateClaim[]): Promise<boolean>
  close(): Promise<void>
}

/** Verifies on the calling thread: for tests and the simulation. */
export const inlineSignatureVerifier: SignatureVerifier = {
  verify: async batch => verifyManyOverOneDigest(batch),
  verifyAggregates: async claims => verifyAggregatesTogether(claims),
  close: () => Promise.resolve(),
}
