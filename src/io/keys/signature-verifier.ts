import {
  type AggregateClaim,
  type BlsSignatureBytes,
  sumIfValid,
  verifyAggregatesTogether,
  verifyManyOverOneDigest,
} from '../../base/crypto/bls.js'

/** Signatures over one digest, each by one key, or the sum of those by several keys. */
export interface SignedDigest {
  readonly digest: Uint8Array
  readonly signed: readonly Omit<AggregateClaim, 'digest'>[]
}

/** Checks BLS signatures; one pairing for what is checked together and valid. */
export interface SignatureVerifier {
  /** Verdict for each signature, in order. */
  verify(batch: SignedDigest): Promise<boolean[]>
  /** The sum of all these signatures if it is valid. Null says nothing of which is not, a sum nothing of each alone. */
  sum(batch: SignedDigest): Promise<BlsSignatureBytes | null>
  /** Whether all these aggregate signatures are valid. False says nothing of which is not. */
  verifyAggregates(claims: readonly AggregateClaim[]): Promise<boolean>
  close(): Promise<void>
}

/** Verifies on the calling thread: for tests and the simulation. */
export const inlineSignatureVerifier: SignatureVerifier = {
  verify: async batch => verifyManyOverOneDigest(batch),
  sum: async batch => sumIfValid(batch),
  verifyAggregates: async claims => verifyAggregatesTogether(claims),
  close: () => Promise.resolve(),
}
