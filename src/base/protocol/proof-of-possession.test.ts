import { describe, expect, it } from 'vitest'
import { blsPublicKeyFromEip2537, blsPublicKeyToEip2537, parseBlsPublicKey, verifyBls } from '../crypto/bls.js'
import { bytesToHex, type Hex, hexToBytes } from '../primitives/bytes.js'
import { proofOfPossessionDigest } from './proof-of-possession.js'
import { type DomainVectors, domainOf, readVectors } from './vectors.fixture.js'

interface PossessionVectors extends DomainVectors {
  readonly cases: readonly {
    readonly name: string
    readonly expected: string
    readonly operator: Hex
    readonly publicKey: Hex | null
    readonly publicKeyEip2537: Hex
    readonly digest: Hex
    readonly proof: Hex
  }[]
}

const vectors = readVectors<PossessionVectors>('proof-of-possession')
const domain = domainOf(vectors.domain)

describe('proof of possession', () => {
  it.each(vectors.cases)('$name: $expected', ({ name, expected, operator, digest, proof, ...coded }) => {
    const key = coded.publicKey === null ? null : parseBlsPublicKey(hexToBytes(coded.publicKey))
    const coding = hexToBytes(coded.publicKeyEip2537)
    expect(blsPublicKeyFromEip2537(coding) === null).toBe(key === null)
    const isValid =
      key !== null &&
      verifyBls({
        digest: proofOfPossessionDigest(domain, { operator, publicKey: key }),
        key,
        signature: hexToBytes(proof),
      })
    expect(isValid, name).toBe(expected === 'Valid')
    if (!key) return
    expect(blsPublicKeyToEip2537(key)).toEqual(coding)
    expect(bytesToHex(proofOfPossessionDigest(domain, { operator, publicKey: key }))).toBe(digest)
  })
})
