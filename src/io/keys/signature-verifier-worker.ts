import {
  type AggregateClaim,
  type BlsPublicKey,
  type BlsSignatureBytes,
  blsKeyId,
  blsPublicKeyLength,
  parseBlsPublicKey,
  sumIfValid,
  verifyAggregatesTogether,
  verifyManyOverOneDigest,
} from '../../base/crypto/bls.js'
import { serveWorkerCalls } from '../workers/serve-worker-calls.js'

/** Keys of a few sets; parsing one costs as much as a tenth of a pairing. */
const maxKeys = 1_024
const known = new Map<string, BlsPublicKey>()

function parsed(bytes: Uint8Array): BlsPublicKey | null {
  const id = blsKeyId(bytes)
  const found = known.get(id)
  if (found) return found
  const key = parseBlsPublicKey(bytes)
  if (key) {
    if (known.size >= maxKeys) known.clear()
    known.set(id, key)
  }
  return key
}

/** The keys that were put one after the other; null when one of them is none. */
function parsedAll(bytes: Uint8Array): BlsPublicKey[] | null {
  const keys: BlsPublicKey[] = []
  for (let at = 0; at < bytes.length; at += blsPublicKeyLength) {
    const key = parsed(bytes.subarray(at, at + blsPublicKeyLength))
    if (!key) return null
    keys.push(key)
  }
  return keys
}

/** A signature by keys as bytes, one after the other. */
export interface PackedSignature {
  readonly keys: Uint8Array
  readonly signature: Uint8Array
}

/** A `SignedDigest` with keys as bytes. */
export interface PackedDigest {
  readonly digest: Uint8Array
  readonly signed: readonly PackedSignature[]
}

/** An `AggregateClaim` with keys as bytes. */
export interface PackedClaim extends PackedSignature {
  readonly digest: Uint8Array
}

serveWorkerCalls({
  verify({ digest, signed }: PackedDigest): boolean[] {
    const verdicts = signed.map(() => false)
    const checked: { at: number; keys: BlsPublicKey[]; signature: Uint8Array }[] = []
    signed.forEach(({ keys, signature }, at) => {
      const points = parsedAll(keys)
      if (points) checked.push({ at, keys: points, signature })
    })
    verifyManyOverOneDigest({ digest, signed: checked }).forEach((verdict, i) => {
      verdicts[checked[i]!.at] = verdict
    })
    return verdicts
  },

  sum({ digest, signed }: PackedDigest): BlsSignatureBytes | null {
    const parsed: { keys: BlsPublicKey[]; signature: Uint8Array }[] = []
    for (const { keys, signature } of signed) {
      const points = parsedAll(keys)
      if (!points) return null
      parsed.push({ keys: points, signature })
    }
    return sumIfValid({ digest, signed: parsed })
  },

  verifyAggregates(packed: readonly PackedClaim[]): boolean {
    const claims: AggregateClaim[] = []
    for (const { digest, keys, signature } of packed) {
      const points = parsedAll(keys)
      if (!points) return false
      claims.push({ digest, keys: points, signature })
    }
    return verifyAggregatesTogether(claims)
  },
})
