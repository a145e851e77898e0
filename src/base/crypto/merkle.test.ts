import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes } from '../primitives/bytes.js'
import { keccak256 } from './keccak.js'
import { merkleDepth, merkleProof, merkleRoot, verifyMerkleProof } from './merkle.js'

const leaf = fc.uint8Array({ minLength: 32, maxLength: 32 })
const leaves = fc.array(leaf, { minLength: 1, maxLength: 20 })

/** Root by the definition: a perfect tree whose missing leaves are zero. */
function slowRoot(list: readonly Uint8Array[], level: number, zero: Uint8Array): Uint8Array {
  if (level === 0) return list[0] ?? new Uint8Array(32)
  const half = 2 ** (level - 1)
  const below = zeroOf(level - 1)
  if (list.length === 0) return zero
  const right = list.slice(half)
  return keccak256(
    concatBytes(
      slowRoot(list.slice(0, half), level - 1, below),
      right.length === 0 ? below : slowRoot(right, level - 1, below),
    ),
  )
}
function zeroOf(level: number): Uint8Array {
  let node: Uint8Array = new Uint8Array(32)
  for (let i = 0; i < level; i++) node = keccak256(concatBytes(node, node))
  return node
}

describe('Merkle tree', () => {
  it('has the root of the definition', () => {
    fc.assert(
      fc.property(fc.array(leaf, { maxLength: 20 }), list => {
        expect(merkleRoot(list)).toEqual(slowRoot(list, merkleDepth, zeroOf(merkleDepth)))
      }),
      { numRuns: 20 },
    )
  })

  it('of nothing has the known root of 2^32 zero leaves', () => {
    expect(bytesToHex(merkleRoot([]))).toBe('0x27ae5ba08d7291c96c8cbddcc148bf48a6d68c7974b94356f53754ef6171d757')
  })

  it('proves each leaf, at its place only', () => {
    fc.assert(
      fc.property(leaves, fc.nat(), (list, pick) => {
        const index = pick % list.length
        const root = merkleRoot(list)
        const proof = merkleProof(list, index)
        const claim = { root, leaf: list[index]!, index, proof }
        expect(verifyMerkleProof(claim)).toBe(true)
        expect(verifyMerkleProof({ ...claim, index: index + 2 ** 20 })).toBe(false)
        expect(verifyMerkleProof({ ...claim, leaf: keccak256(list[index]!) })).toBe(false)
        expect(verifyMerkleProof({ ...claim, proof: proof.slice(1) })).toBe(false)
        expect(verifyMerkleProof({ ...claim, root: root.subarray(1) })).toBe(false)
        expect(verifyMerkleProof({ ...claim, root: concatBytes(root, root) })).toBe(false)
        expect(verifyMerkleProof({ ...claim, leaf: new Uint8Array(64) })).toBe(false)
        const changed = proof.map((node, level) => (level === pick % merkleDepth ? keccak256(node) : node))
        expect(verifyMerkleProof({ ...claim, proof: changed })).toBe(false)
      }),
      { numRuns: 50 },
    )
  })

  it('refuses places outside of the tree', () => {
    const list = [new Uint8Array(32)]
    expect(() => merkleProof(list, 1)).toThrow(RangeError)
    expect(() => merkleProof(list, -1)).toThrow(RangeError)
    const claim = { root: merkleRoot(list), leaf: list[0]!, proof: merkleProof(list, 0) }
    for (const index of [-1, 2 ** 32, 2 ** 40, 0.5]) expect(verifyMerkleProof({ ...claim, index })).toBe(false)
  })
})
