import { parentPort } from 'node:worker_threads'
import { type BlsPublicKey, blsKeyId, parseBlsPublicKey, verifyManyOverOneDigest } from '../../base/crypto/bls.js'
import type { VerifyRequest, VerifyResponse } from './worker-signature-verifier.js'

/** Keys of a few sets; parsing one costs as much as a tenth of a pairing. */
const maxKeys = 1_024
const keys = new Map<string, BlsPublicKey>()

function parsed(bytes: Uint8Array): BlsPublicKey | null {
  const id = blsKeyId(bytes)
  const known = keys.get(id)
  if (known) return known
  const key = parseBlsPublicKey(bytes)
  if (key) {
    if (keys.size >= maxKeys) keys.clear()
    keys.set(id, key)
  }
  return key
}

parentPort!.on('message', ({ id, digest, signed }: VerifyRequest) => {
  const verdicts = signed.map(() => false)
  const known: { at: number; key: BlsPublicKey; signature: Uint8Array }[] = []
  signed.forEach(({ key, signature }, at) => {
    const point = parsed(key)
    if (point) known.push({ at, key: point, signature })
  })
  verifyManyOverOneDigest({ digest, signed: known }).forEach((verdict, i) => {
    verdicts[known[i]!.at] = verdict
  })
  parentPort!.postMessage({ id, verdicts } satisfies VerifyResponse)
})
