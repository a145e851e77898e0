import fc from 'fast-check'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes, uintToBytes } from '../primitives/bytes.js'
import { keccak256 } from './keccak.js'
import { addressOfPrivateKey, hasLowS, recoverAddress, signatureToBytes, signDigest } from './secp256k1.js'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const privateKey = fc.bigInt({ min: 1n, max: order - 1n }).map(scalar => uintToBytes(scalar, 32))
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe('secp256k1', () => {
  it('signs as viem does, and recovers the address', async () => {
    await fc.assert(
      fc.asyncProperty(privateKey, digest, async (key, hash) => {
        const account = privateKeyToAccount(bytesToHex(key))
        const signature = signDigest(hash, key)
        expect(addressOfPrivateKey(key)).toBe(account.address.toLowerCase())
        expect(recoverAddress(hash, signature)).toBe(account.address.toLowerCase())
        expect(hasLowS(signature.rs)).toBe(true)
        const theirs = await account.sign({ hash: bytesToHex(hash) })
        expect(bytesToHex(signature.rs)).toBe(theirs.slice(0, 130))
        expect(signatureToBytes(signature)[64]).toBe(Number.parseInt(theirs.slice(130), 16) - 27)
      }),
      { numRuns: 30 },
    )
  })

  it('recovers nobody from garbage, without throwing', () => {
    const zero = new Uint8Array(32)
    const tooLarge = uintToBytes(order, 32)
    const hash = keccak256(zero)
    for (const rs of [concatBytes(zero, zero), concatBytes(tooLarge, tooLarge), concatBytes(zero, tooLarge)])
      expect(recoverAddress(hash, { rs, recovery: 0 })).toBeNull()
    expect(recoverAddress(hash, { rs: new Uint8Array(3), recovery: 0 })).toBeNull()
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), digest, (rs, message) => {
        const address = recoverAddress(message, { rs, recovery: 1 })
        expect(address === null || address.length === 42).toBe(true)
      }),
    )
  })

  it('tells a high s', () => {
    const r = uintToBytes(1, 32)
    expect(hasLowS(concatBytes(r, uintToBytes(order / 2n, 32)))).toBe(true)
    expect(hasLowS(concatBytes(r, uintToBytes(order / 2n + 1n, 32)))).toBe(false)
  })
})
