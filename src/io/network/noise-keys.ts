import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { invariant } from '../../base/primitives/invariant.js'

/** A key pair of X25519 as libp2p's Noise holds it: 32 bytes each. */
export interface NoiseKeyPair {
  readonly publicKey: Uint8Array
  readonly privateKey: Uint8Array
}

/** The part of Noise's cryptography that agrees on keys. */
export interface KeyAgreement {
  generateKeypair(): NoiseKeyPair
  dh(pair: NoiseKeyPair, publicKey: Uint8Array | { subarray(): Uint8Array }): Uint8Array
}

/** PKCS #8 of an X25519 key, before its 32 bytes (RFC 8410). */
const pkcs8Head = Buffer.from('302e020100300506032b656e04220420', 'hex')

/**
 * X25519 on parsed keys. libp2p's Noise parses the private key of a pair again for each Diffie-Hellman, which takes ten times
 * as long as the agreement itself; two of them are done for anybody who asks for a handshake.
 */
export function parsedKeyAgreement(): KeyAgreement {
  const parsed = new WeakMap<NoiseKeyPair, KeyObject>()
  const keyOf = (pair: NoiseKeyPair) => {
    const known = parsed.get(pair)
    if (known) return known
    const key = createPrivateKey({ key: Buffer.concat([pkcs8Head, pair.privateKey]), type: 'pkcs8', format: 'der' })
    parsed.set(pair, key)
    return key
  }
  return {
    generateKeypair() {
      const { publicKey, privateKey } = generateKeyPairSync('x25519')
      const { x, d } = privateKey.export({ format: 'jwk' })
      invariant(x && d, 'a key pair of X25519 has both its keys', { type: publicKey.asymmetricKeyType })
      const pair = { publicKey: Buffer.from(x, 'base64url'), privateKey: Buffer.from(d, 'base64url') }
      parsed.set(pair, privateKey)
      return pair
    },
    dh(pair, publicKey) {
      const x = Buffer.from(publicKey.subarray()).toString('base64url')
      const theirs = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
      return diffieHellman({ privateKey: keyOf(pair), publicKey: theirs })
    },
  }
}

/** Has a Noise encrypter of libp2p agree on keys as above. */
export function keepParsedKeys(encrypter: object): void {
  const { crypto } = encrypter as { crypto?: Partial<KeyAgreement> }
  invariant(crypto?.dh && crypto.generateKeypair, "libp2p's Noise has its key agreement in `crypto`")
  Object.assign(crypto, parsedKeyAgreement())
}
