import blst from '@chainsafe/blst'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, hexToBytes } from '../primitives/bytes.js'
import {
  aggregateSignatures,
  type BlsPublicKey,
  BlsSecretKey,
  blsPublicKeyFromEip2537,
  blsPublicKeyToEip2537,
  blsSignatureFromEip2537,
  blsSignatureToEip2537,
  parseBlsPublicKey,
  sumIfValid,
  verifyAggregate,
  verifyAggregatesTogether,
  verifyBls,
  verifyManyOverOneDigest,
} from './bls.js'
import { keccak256 } from './keccak.js'

const secrets = Array.from({ length: 8 }, (_, i) => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i + 1)))
const keys: BlsPublicKey[] = secrets.map(secret => parseBlsPublicKey(secret.publicKey())!)
const digest = keccak256(Uint8Array.of(1))
const other = keccak256(Uint8Array.of(2))
const signatures = secrets.map(secret => secret.sign(digest))
const infiniteKey = Uint8Array.from({ length: 48 }, (_, i) => (i === 0 ? 0xc0 : 0))
const infiniteSignature = Uint8Array.from({ length: 96 }, (_, i) => (i === 0 ? 0xc0 : 0))

describe('keys and signatures', () => {
  it('sign and verify one digest by one key', () => {
    const claim = { digest, key: keys[0]!, signature: signatures[0]! }
    expect(verifyBls(claim)).toBe(true)
    expect(verifyBls({ ...claim, digest: other })).toBe(false)
    expect(verifyBls({ ...claim, key: keys[1]! })).toBe(false)
    expect(verifyBls({ ...claim, signature: signatures[1]! })).toBe(false)
  })

  it('refuse infinity', () => {
    expect(parseBlsPublicKey(infiniteKey)).toBeNull()
    expect(verifyBls({ digest, key: keys[0]!, signature: infiniteSignature })).toBe(false)
    expect(verifyAggregate({ digest, keys: [keys[0]!], signature: infiniteSignature })).toBe(false)
    expect(() => blsSignatureToEip2537(infiniteSignature)).toThrow(RangeError)
    expect(() => blsSignatureFromEip2537(new Uint8Array(256))).toThrow(RangeError)
    expect(blsPublicKeyFromEip2537(new Uint8Array(128))).toBeNull()
    const signed = [{ keys: [keys[0]!], signature: infiniteSignature }]
    expect(verifyManyOverOneDigest({ digest, signed })).toEqual([false])
  })

  it('refuse garbage without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        expect(parseBlsPublicKey(bytes)).toBeNull()
        expect(verifyBls({ digest, key: keys[0]!, signature: bytes })).toBe(false)
        expect(verifyAggregate({ digest, keys, signature: bytes })).toBe(false)
      }),
    )
    expect(() => BlsSecretKey.fromBytes(new Uint8Array(32))).toThrow(RangeError)
    expect(() => BlsSecretKey.fromBytes(new Uint8Array(32).fill(0xff))).toThrow(RangeError)
    expect(() => BlsSecretKey.fromBytes(new Uint8Array(31))).toThrow(RangeError)
  })

  it('do not print the secret', () => {
    const secret = bytesToHex(secrets[0]!.toBytes()).slice(2)
    expect(JSON.stringify({ key: secrets[0] })).not.toContain(secret)
    expect(String(secrets[0])).not.toContain(secret)
    expect(BlsSecretKey.fromBytes(secrets[0]!.toBytes()).publicKey()).toEqual(keys[0]!.bytes)
  })

  it('keep their own bytes when the caller reuses its buffer', () => {
    const buffer = Uint8Array.from(keys[0]!.bytes)
    const key = parseBlsPublicKey(buffer)!
    buffer.fill(0)
    expect(key.bytes).toEqual(keys[0]!.bytes)
  })
})

describe('aggregates', () => {
  it('verify for exactly the keys that signed', () => {
    const signature = aggregateSignatures(signatures)
    expect(verifyAggregate({ digest, keys, signature })).toBe(true)
    expect(verifyAggregate({ digest, keys: keys.slice(1), signature })).toBe(false)
    expect(verifyAggregate({ digest: other, keys, signature })).toBe(false)
    expect(verifyAggregate({ digest, keys: [], signature })).toBe(false)
  })

  it('need well-formed signatures, at least one', () => {
    expect(() => aggregateSignatures([])).toThrow(RangeError)
    expect(() => aggregateSignatures([signatures[0]!, new Uint8Array(96)])).toThrow(RangeError)
    expect(() => aggregateSignatures([signatures[0]!, new Uint8Array(5)])).toThrow(RangeError)
  })
})

const signedBy = (list: readonly Uint8Array[]) => list.map((signature, i) => ({ keys: [keys[i]!], signature }))

describe('sumIfValid', () => {
  it('gives the sum that all keys together signed', () => {
    for (const count of [1, 2, 8]) {
      const sum = aggregateSignatures(signatures.slice(0, count))
      expect(sumIfValid({ digest, signed: signedBy(signatures.slice(0, count)) })).toEqual(sum)
    }
    const sums = [
      { keys: keys.slice(0, 3), signature: aggregateSignatures(signatures.slice(0, 3)) },
      { keys: keys.slice(3), signature: aggregateSignatures(signatures.slice(3)) },
    ]
    expect(sumIfValid({ digest, signed: sums })).toEqual(aggregateSignatures(signatures))
  })

  it('gives none when one is wrong, no signature, of no subgroup, or when they are none', () => {
    const offSubgroup = Uint8Array.from({ length: 96 }, (_, i) => (i === 0 ? 0x80 : 0))
    for (let x = 1; x < 256; x++) {
      offSubgroup[95] = x
      try {
        blst.Signature.fromBytes(offSubgroup)
        break
      } catch {}
    }
    expect(() => blst.Signature.fromBytes(offSubgroup).sigValidate()).toThrow()
    const bad = [secrets[2]!.sign(other), signatures[3]!, offSubgroup, infiniteSignature, new Uint8Array(96)]
    for (const signature of [...bad, new Uint8Array(5)])
      expect(sumIfValid({ digest, signed: signedBy([signatures[0]!, signatures[1]!, signature]) })).toBeNull()
    expect(sumIfValid({ digest: other, signed: signedBy(signatures) })).toBeNull()
    expect(sumIfValid({ digest, signed: [] })).toBeNull()
    expect(sumIfValid({ digest, signed: signedBy([infiniteSignature]) })).toBeNull()
  })

  it('says nothing of each alone: wrong ones may cancel out', () => {
    const swapped = [signatures[1]!, signatures[0]!]
    expect(sumIfValid({ digest, signed: signedBy(swapped) })).toEqual(aggregateSignatures(swapped))
  })
})

describe('verifyManyOverOneDigest', () => {
  it('accepts all when all are right, and names the wrong ones', () => {
    expect(verifyManyOverOneDigest({ digest, signed: signedBy(signatures) })).toEqual(signatures.map(() => true))
    expect(verifyManyOverOneDigest({ digest, signed: [] })).toEqual([])
    const wrong = [1, 4, 7]
    const mixed = signatures.map((signature, i) => (wrong.includes(i) ? secrets[i]!.sign(other) : signature))
    mixed[4] = new Uint8Array(96)
    expect(verifyManyOverOneDigest({ digest, signed: signedBy(mixed) })).toEqual(
      mixed.map((_, i) => !wrong.includes(i)),
    )
  })

  it('takes sums of several keys among single ones, and names a sum that lacks a signer', () => {
    const sums = [
      { keys: keys.slice(0, 3), signature: aggregateSignatures(signatures.slice(0, 3)) },
      { keys: [keys[3]!], signature: signatures[3]! },
      { keys: keys.slice(4, 8), signature: aggregateSignatures(signatures.slice(4, 8)) },
    ]
    expect(verifyManyOverOneDigest({ digest, signed: sums })).toEqual([true, true, true])
    const lacking = { keys: keys.slice(4, 8), signature: aggregateSignatures(signatures.slice(4, 7)) }
    expect(verifyManyOverOneDigest({ digest, signed: [sums[0]!, sums[1]!, lacking] })).toEqual([true, true, false])
    expect(verifyManyOverOneDigest({ digest, signed: [lacking] })).toEqual([false])
  })

  it('refuses two wrong signatures that cancel out in the sum', () => {
    // s0 + d and s1 - d: their sum is that of the right ones, and the plain aggregate verifies.
    const pair = [signatures[0]!, signatures[1]!].map(bytes => blst.Signature.fromBytes(bytes))
    const shift = blst.Signature.fromBytes(secrets[5]!.sign(other))
    const minus = blst.Signature.fromBytes(negated(shift.toBytes()))
    const cancelling = [blst.aggregateSignatures([pair[0]!, shift]), blst.aggregateSignatures([pair[1]!, minus])].map(
      point => Uint8Array.from(point.toBytes()),
    )
    const sum = aggregateSignatures(cancelling)
    expect(verifyAggregate({ digest, keys: keys.slice(0, 2), signature: sum })).toBe(true)
    expect(verifyManyOverOneDigest({ digest, signed: signedBy(cancelling) })).toEqual([false, false])
    const claims = cancelling.map((signature, i) => ({ digest, keys: [keys[i]!], signature }))
    expect(verifyAggregatesTogether(claims)).toBe(false)
  })

  it('refuses a rogue key only by its proof of possession: keys are checked elsewhere, signatures here', () => {
    const swapped = [signatures[1]!, signatures[0]!]
    expect(verifyAggregate({ digest, keys: keys.slice(0, 2), signature: aggregateSignatures(swapped) })).toBe(true)
    expect(verifyManyOverOneDigest({ digest, signed: signedBy(swapped) })).toEqual([false, false])
  })
})

/** The negative of a compressed point: the bit that tells the sign of y is flipped. */
function negated(compressed: Uint8Array): Uint8Array {
  return Uint8Array.from(compressed, (byte, i) => (i === 0 ? byte ^ 0x20 : byte))
}

describe('EIP-2537 coding', () => {
  it('round-trips keys and signatures', () => {
    for (const key of keys) expect(blsPublicKeyFromEip2537(blsPublicKeyToEip2537(key))!.bytes).toEqual(key.bytes)
    for (const signature of signatures)
      expect(blsSignatureFromEip2537(blsSignatureToEip2537(signature))).toEqual(signature)
  })

  it('has one coding of a point: any change of a byte is refused', () => {
    const signature = blsSignatureToEip2537(signatures[0]!)
    const key = blsPublicKeyToEip2537(keys[0]!)
    for (let at = 0; at < 256; at++) {
      const changed = signature.map((byte, i) => (i === at ? byte ^ 0x80 : byte))
      expect(() => blsSignatureFromEip2537(changed), `byte ${at}`).toThrow(RangeError)
    }
    for (let at = 0; at < 128; at++)
      expect(blsPublicKeyFromEip2537(key.map((byte, i) => (i === at ? byte ^ 0x80 : byte)))).toBeNull()
    for (const length of [0, 96, 192, 255, 257])
      expect(() => blsSignatureFromEip2537(new Uint8Array(length))).toThrow(RangeError)
    expect(blsPublicKeyFromEip2537(key.subarray(1))).toBeNull()
  })

  it('is that of the precompile for the generator of G1', () => {
    const one = BlsSecretKey.fromBytes(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0)))
    const generator =
      '0x0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb' +
      '0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1'
    expect(blsPublicKeyToEip2537(parseBlsPublicKey(one.publicKey())!)).toEqual(hexToBytes(generator))
  })
})
