import fc from 'fast-check'
import { keccak256 as reference } from 'viem'
import { expect, it } from 'vitest'
import { keccak256, keccak256Hex } from './keccak.js'

it('agrees with viem, and gives each caller its own bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
      const hash = keccak256(bytes)
      const copy = Uint8Array.from(hash)
      expect(keccak256Hex(bytes)).toBe(reference(bytes))
      keccak256(copy)
      expect(hash).toEqual(reference(bytes, 'bytes'))
    }),
  )
})
