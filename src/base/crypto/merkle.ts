import { bytesEqual, concatBytes } from '../primitives/bytes.js'
import { keccak256 } from './keccak.js'

/** Depth of the message trees. */
export const merkleDepth = 32

const zeroSubtrees: Uint8Array[] = [new Uint8Array(32)]
for (let level = 0; level < merkleDepth; level++) {
  const below = zeroSubtrees[level]!
  zeroSubtrees.push(keccak256(concatBytes(below, below)))
}

/** Root of an append-only tree of depth 32 over 32-byte leaves; missing leaves are zero. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  let row: Uint8Array[] = [...leaves]
  for (let level = 0; level < merkleDepth; level++) {
    const parents: Uint8Array[] = []
    for (let i = 0; i < row.length; i += 2)
      parents.push(keccak256(concatBytes(row[i]!, row[i + 1] ?? zeroSubtrees[level]!)))
    row = parents
  }
  return row[0] ?? zeroSubtrees[merkleDepth]!
}

/** Siblings from the leaf to the root. @throws RangeError when there is no such leaf */
export function merkleProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (index < 0 || index >= leaves.length) throw new RangeError(`no leaf ${index}`)
  const proof: Uint8Array[] = []
  let row: Uint8Array[] = [...leaves]
  let at = index
  for (let level = 0; level < merkleDepth; level++) {
    const zero = zeroSubtrees[level]!
    proof.push(row[at ^ 1] ?? zero)
    const parents: Uint8Array[] = []
    for (let i = 0; i < row.length; i += 2) parents.push(keccak256(concatBytes(row[i]!, row[i + 1] ?? zero)))
    row = parents
    at >>= 1
  }
  return proof
}

/** Whether the leaf stands at the index of the tree with this root. */
export function verifyMerkleProof({
  root,
  leaf,
  index,
  proof,
}: {
  root: Uint8Array
  leaf: Uint8Array
  index: number
  proof: readonly Uint8Array[]
}): boolean {
  if (proof.length !== merkleDepth || !Number.isInteger(index) || index < 0 || index >= 2 ** merkleDepth) return false
  if (![leaf, ...proof].every(node => node.length === 32)) return false
  let node = leaf
  for (let level = 0; level < merkleDepth; level++) {
    const right = Math.floor(index / 2 ** level) % 2 === 1
    node = keccak256(right ? concatBytes(proof[level]!, node) : concatBytes(node, proof[level]!))
  }
  return bytesEqual(node, root)
}
