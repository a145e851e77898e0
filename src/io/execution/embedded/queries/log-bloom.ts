import { keccak256 } from '../../../../base/crypto/keccak.js'
import { bytesToHex, type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { StoredLog } from '../reading.js'

/** The three bits that a value sets in a bloom of 2,048 (yellow paper, section 4.3.1), numbered from the first byte's high bit. */
export function bloomBits(value: Hex): readonly number[] {
  const hash = keccak256(hexToBytes(value))
  return [0, 2, 4].map(at => 2047 - (((hash[at]! << 8) | hash[at + 1]!) & 2047))
}

/** Whether a value with these bits may be in the bloom. */
export function bloomMayHold(bloom: Uint8Array, bits: readonly number[]): boolean {
  for (const bit of bits) if ((bloom[bit >> 3]! & (128 >> (bit & 7))) === 0) return false
  return true
}

/** Bloom of a receipt's logs. */
export function logsBloom(logs: readonly StoredLog[]): Hex {
  const bloom = new Uint8Array(256)
  for (const { address, topics } of logs)
    for (const value of [address, ...topics]) for (const bit of bloomBits(value)) bloom[bit >> 3]! |= 128 >> (bit & 7)
  return bytesToHex(bloom)
}
