import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as real from '../../../src/base/crypto/bls.js'
import * as twin from './bls-twin.js'

const digest = new Uint8Array(32).fill(7)
const keys = [1, 2, 3].map(n => twin.BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
const publicKeys = keys.map(key => twin.parseBlsPublicKey(key.publicKey())!)
const signatures = keys.map(key => key.sign(digest))

describe('the BLS twin of the simulation', () => {
  it('has the exports of the real module', () => {
    expect(Object.keys(twin).sort()).toEqual(Object.keys(real).sort())
    expect([twin.blsPublicKeyLength, twin.blsSignatureLength]).toEqual([
      real.blsPublicKeyLength,
      real.blsSignatureLength,
    ])
    expect(keys[0]!.publicKey()).toHaveLength(48)
    expect(signatures[0]).toHaveLength(96)
  })

  it('binds a signature to one key and one digest', () => {
    const [key, other] = publicKeys as [twin.BlsPublicKey, twin.BlsPublicKey]
    const signature = signatures[0]!
    expect(twin.verifyBls({ digest, key, signature })).toBe(true)
    expect(twin.verifyBls({ digest, key: other, signature })).toBe(false)
    expect(twin.verifyBls({ digest: new Uint8Array(32), key, signature })).toBe(false)
  })

  it('sums signatures that are right together', () => {
    const signed = signatures.map((signature, i) => ({ keys: [publicKeys[i]!], signature }))
    expect(twin.sumIfValid({ digest, signed })).toEqual(twin.aggregateSignatures(signatures))
    expect(twin.sumIfValid({ digest: new Uint8Array(32), signed })).toBeNull()
    expect(
      twin.sumIfValid({ digest, signed: [...signed, { ...signed[0]!, signature: new Uint8Array(96) }] }),
    ).toBeNull()
    expect(twin.sumIfValid({ digest, signed: [] })).toBeNull()
  })

  it('verifies an aggregate for exactly the keys that signed, each as often as it did', () => {
    const signature = twin.aggregateSignatures(signatures)
    expect(twin.verifyAggregate({ digest, keys: publicKeys, signature })).toBe(true)
    expect(twin.verifyAggregate({ digest, keys: publicKeys.toReversed(), signature })).toBe(true)
    expect(twin.verifyAggregate({ digest, keys: publicKeys.slice(1), signature })).toBe(false)
    expect(twin.verifyAggregate({ digest, keys: [...publicKeys, publicKeys[0]!], signature })).toBe(false)
    expect(twin.verifyAggregate({ digest, keys: [], signature })).toBe(false)
    const twice = twin.aggregateSignatures([signatures[0]!, signatures[0]!])
    expect(twin.verifyBls({ digest, key: publicKeys[0]!, signature: twice })).toBe(false)
  })

  it('says which of many signatures are valid', () => {
    const signed = publicKeys.map((key, i) => ({ keys: [key], signature: i === 1 ? signatures[0]! : signatures[i]! }))
    expect(twin.verifyManyOverOneDigest({ digest, signed })).toEqual([true, false, true])
  })

  it('refuses what is damaged or malformed', () => {
    fc.assert(
      fc.property(fc.nat(95), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Uint8Array.from(signatures[0]!)
        damaged[at]! ^= flip
        expect(twin.verifyBls({ digest, key: publicKeys[0]!, signature: damaged })).toBe(false)
      }),
    )
    expect(twin.verifyBls({ digest, key: publicKeys[0]!, signature: new Uint8Array(95) })).toBe(false)
    expect(() => twin.aggregateSignatures([])).toThrow(RangeError)
    expect(() => twin.aggregateSignatures([new Uint8Array(96)])).toThrow(RangeError)
    expect(twin.parseBlsPublicKey(new Uint8Array(48))).toBeNull()
    expect(twin.parseBlsPublicKey(new Uint8Array(47))).toBeNull()
  })
})
