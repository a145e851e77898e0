import { DecodeError } from '../../../../base/encoding/decode-error.js'
import { decodeRlp, encodeRlp } from '../../../../base/encoding/rlp.js'
import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { Hash32 } from '../../../../base/primitives/hashes.js'

/** A word without its leading zeros, the form in which slots are kept; zero is empty. */
export function trimWord(word: Uint8Array): Uint8Array {
  let zeros = 0
  while (zeros < word.length && word[zeros] === 0) zeros++
  return zeros === 0 ? word : word.slice(zeros)
}

/** A trimmed word as 32 bytes of hex. */
export function wordToHex(trimmed: Uint8Array): Hash32 {
  const word = new Uint8Array(32)
  word.set(trimmed, 32 - trimmed.length)
  return bytesToHex(word)
}

/** Value of a slot in a storage trie. */
export const encodeSlotValue = (trimmed: Uint8Array): Uint8Array => encodeRlp(trimmed)

/** @throws DecodeError */
export function decodeSlotValue(encoded: Uint8Array): Uint8Array {
  const item = decodeRlp(encoded)
  if (!(item instanceof Uint8Array) || item.length > 32) throw new DecodeError('storage value: not a word')
  return item
}
