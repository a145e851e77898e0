import { afterAll, describe, expect, it } from 'vitest'
import { aggregateSignatures, BlsSecretKey, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { inlineSignatureVerifier, type SignatureVerifier } from './signature-verifier.js'
import { createWorkerSignatureVerifier } from './worker-signature-verifier.js'

const digest = new Uint8Array(32).fill(7)
const signers = [1, 2, 3, 4, 5].map(seed => {
  const secret = BlsSecretKey.fromSeed(new Uint8Array(32).fill(seed))
  return { key: parseBlsPublicKey(secret.publicKey())!, signature: secret.sign(digest) }
})
const alone = ({ key, signature }: (typeof signers)[number]) => ({ keys: [key], signature })
function claimBy(...by: number[]) {
  const those = by.map(i => signers[i]!)
  const signature = aggregateSignatures(those.map(signer => signer.signature))
  return { digest, keys: those.map(({ key }) => key), signature }
}
const opened: SignatureVerifier[] = []
afterAll(() => Promise.all(opened.map(verifier => verifier.close())))

describe.each([
  ['inline', () => inlineSignatureVerifier],
  ['worker', createWorkerSignatureVerifier],
])('%s signature verifier', (_name, create) => {
  const verifier = create()
  opened.push(verifier)

  it('accepts what each key signed', async () => {
    expect(await verifier.verify({ digest, signed: signers.map(alone) })).toEqual([true, true, true, true, true])
  })

  it('finds the forged ones among many', async () => {
    const signed = signers.map((signer, i) =>
      i === 1 || i === 4 ? { ...signer, signature: signers[0]!.signature } : signer,
    )
    expect(await verifier.verify({ digest, signed: signed.map(alone) })).toEqual([true, false, true, true, false])
  })

  it('takes sums by several keys among them', async () => {
    const { digest: _, ...sum } = claimBy(1, 2, 3)
    const lacking = { ...sum, keys: sum.keys.slice(1) }
    expect(await verifier.verify({ digest, signed: [sum, alone(signers[0]!)] })).toEqual([true, true])
    expect(await verifier.verify({ digest, signed: [lacking, alone(signers[0]!)] })).toEqual([false, true])
  })

  it('refuses garbage', async () => {
    const signed = [{ ...signers[0]!, signature: new Uint8Array(96) }, signers[1]!]
    expect(await verifier.verify({ digest, signed: signed.map(alone) })).toEqual([false, true])
  })

  it('sums what is right together, and says nothing else', async () => {
    const sum = aggregateSignatures(signers.map(({ signature }) => signature))
    expect(await verifier.sum({ digest, signed: signers.map(alone) })).toEqual(sum)
    const forged = [{ ...signers[0]!, signature: signers[1]!.signature }, signers[2]!]
    expect(await verifier.sum({ digest, signed: forged.map(alone) })).toBeNull()
    expect(await verifier.sum({ digest, signed: [] })).toBeNull()
  })

  it('checks aggregates together', async () => {
    const [one, two] = [claimBy(0, 1, 2), claimBy(3, 4)]
    for (const claims of [[], [one], [one, two], [one, one, two]])
      expect(await verifier.verifyAggregates(claims)).toBe(true)
    const bad = [
      { ...two, digest: new Uint8Array(32) },
      { ...two, keys: one.keys },
      { ...two, keys: [] },
      { ...two, signature: one.signature },
      { ...two, signature: new Uint8Array(96) },
    ]
    for (const claim of bad)
      for (const claims of [[claim], [one, claim]]) expect(await verifier.verifyAggregates(claims)).toBe(false)
  })

  it('answers questions that overlap', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => verifier.verify({ digest, signed: [alone(signers[i % 5]!)] })),
    )
    expect(answers.every(([verdict]) => verdict)).toBe(true)
  })
})
