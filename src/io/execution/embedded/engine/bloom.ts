import { keccak256 } from '../../../../base/crypto/keccak.js'
import { hexToBytes } from '../../../../base/primitives/bytes.js'
import type { StoredLog } from '../reading.js'

/** Bloom filter of no logs: 256 zero bytes. */
export const emptyBloom: Uint8Array = new Uint8Array(256)

/** Bloom filter over the addresses and topics of logs (yellow paper, section 4.3.1). */
export function bloomOf(logs: readonly StoredLog[]): Uint8Array {
  if (logs.length === 0) return emptyBloom
  const bloom = new Uint8Array(256)
  for (const log of logs) {
    addToBloom(bloom, hexToBytes(log.address))
    for (const topic of log.topics) addToBloom(bloom, hexToBytes(topic))
  }
  return bloom
}

/** The filter that holds what either holds. */
export function mergeBloom(into: Uint8Array, bloom: Uint8Array): void {
  if (bloom === emptyBloom) return
  for (let i = 0; i < 256; i++) into[i]! |= bloom[i]!
}

function addToBloom(bloom: Uint8Array, item: Uint8Array): void {
  const hash = keccak256(item)
  for (let i = 0; i < 6; i += 2) {
    const bit = ((hash[i]! << 8) | hash[i + 1]!) & 2047
    bloom[255 - (bit >> 3)]! |= 1 << (bit & 7)
  }
}
