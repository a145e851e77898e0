import secp256k1 from 'secp256k1'
import { bytesToHex, compareBytes, concatBytes, uintToBytes } from '../primitives/bytes.js'
import type { Address } from '../primitives/hashes.js'
import { keccak256 } from './keccak.js'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const halfOrder = uintToBytes(order / 2n, 32)

/** An ECDSA signature over secp256k1: r ‖ s (64 bytes) and the recovery bit. */
export interface RecoverableSignature {
  readonly rs: Uint8Array
  readonly recovery: 0 | 1
}

/** Whether s is in the lower half of the order, as EIP-2 wants it. */
export function hasLowS(rs: Uint8Array): boolean {
  return compareBytes(rs.subarray(32, 64), halfOrder) <= 0
}

/** The address whose key signed the 32-byte digest, or null when no key did. */
export function recoverAddress(digest: Uint8Array, signature: RecoverableSignature): Address | null {
  const publicKey = recoverPublicKey(digest, signature)
  return publicKey === null ? null : addressOfPublicKey(publicKey)
}

/** The uncompressed public key (65 bytes) whose key signed the 32-byte digest, or null when no key did. */
export function recoverPublicKey(digest: Uint8Array, signature: RecoverableSignature): Uint8Array | null {
  try {
    return secp256k1.ecdsaRecover(signature.rs, signature.recovery, digest, false)
  } catch {
    return null
  }
}

/** Signs a 32-byte digest (RFC 6979, low s). */
export function signDigest(digest: Uint8Array, privateKey: Uint8Array): RecoverableSignature {
  const { signature, recid } = secp256k1.ecdsaSign(digest, privateKey)
  return { rs: signature, recovery: recid === 1 ? 1 : 0 }
}

/** The address of a 32-byte private key. */
export function addressOfPrivateKey(privateKey: Uint8Array): Address {
  return addressOfPublicKey(secp256k1.publicKeyCreate(privateKey, false))
}

function addressOfPublicKey(uncompressed: Uint8Array): Address {
  return bytesToHex(keccak256(uncompressed.subarray(1)).subarray(12))
}

/** 65 bytes r ‖ s ‖ v with v = 0 or 1. */
export function signatureToBytes(signature: RecoverableSignature): Uint8Array {
  return concatBytes(signature.rs, Uint8Array.of(signature.recovery))
}
