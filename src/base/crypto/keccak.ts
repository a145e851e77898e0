import { createKeccak } from 'hash-wasm'
import { bytesToHex, type Hex } from '../primitives/bytes.js'

// One instance is reused: creating a hasher costs more than the hash.
const hasher = await createKeccak(256)

/** Keccak-256 of the bytes (the Ethereum variant, not SHA3-256). */
export function keccak256(bytes: Uint8Array): Uint8Array {
  return hasher.init().update(bytes).digest('binary')
}

/** Keccak-256 of the bytes as hex. */
export function keccak256Hex(bytes: Uint8Array): Hex {
  return bytesToHex(keccak256(bytes))
}
