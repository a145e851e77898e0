import type { BlsSignatureBytes } from '../../base/crypto/bls.js'
import { concatBytes } from '../../base/primitives/bytes.js'
import { WorkerCalls } from '../workers/worker-calls.js'
import type { SignatureVerifier, SignedDigest } from './signature-verifier.js'
import type { PackedClaim, PackedDigest, PackedSignature } from './signature-verifier-worker.js'

/** Verifies on a thread of its own, so that pairings never hold up the event loop. */
export function createWorkerSignatureVerifier(): SignatureVerifier {
  const calls = new WorkerCalls(new URL('./signature-verifier-worker.js', import.meta.url), 'bls')
  const verifyAggregates = (claims: readonly PackedClaim[]) => calls.call<boolean>('verifyAggregates', claims)
  // The thread starts with the first call: the first votes of a node should not wait for that.
  verifyAggregates([]).catch(() => {})
  // Bytes are copied: a view would drag the message that it is a part of along to the other thread.
  return {
    verify: batch => calls.call<boolean[]>('verify', packedDigest(batch)),
    sum: batch => calls.call<BlsSignatureBytes | null>('sum', packedDigest(batch)),
    verifyAggregates: claims =>
      verifyAggregates(claims.map(({ digest, ...signed }) => ({ digest: digest.slice(), ...packed(signed) }))),
    close: () => calls.close(),
  }
}

const packedDigest = ({ digest, signed }: SignedDigest): PackedDigest => ({
  digest: digest.slice(),
  signed: signed.map(packed),
})

const packed = ({ keys, signature }: SignedDigest['signed'][number]): PackedSignature => ({
  keys: concatBytes(...keys.map(({ bytes }) => bytes)),
  signature: signature.slice(),
})
