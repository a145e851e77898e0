import { bytesEqual } from '../../primitives/bytes.js'
import { type NodeReference, type TrieNode, toNibbles } from './trie-node.js'
import { emptyRoot, type NodeSource } from './update-trie.js'

/** The value at a key, or null. */
export function readTrie(root: Uint8Array, key: Uint8Array, source: NodeSource): Uint8Array | null {
  return walk({ root, key, source, visit: () => {} })
}

/** The encoded nodes from the root towards a key, as eth_getProof lists them (none for an empty trie); embedded nodes are inside their parents. */
export function proveTrie({
  root,
  key,
  encodedNode,
  source,
}: {
  readonly root: Uint8Array
  readonly key: Uint8Array
  readonly encodedNode: (hash: Uint8Array) => Uint8Array
  readonly source: NodeSource
}): Uint8Array[] {
  const proof: Uint8Array[] = []
  walk({ root, key, source, visit: hash => proof.push(encodedNode(hash)) })
  return proof
}

function walk({
  root,
  key,
  source,
  visit,
}: {
  root: Uint8Array
  key: Uint8Array
  source: NodeSource
  visit: (hash: Uint8Array) => void
}): Uint8Array | null {
  if (bytesEqual(root, emptyRoot)) return null
  const nibbles = toNibbles(key)
  let reference: NodeReference | null = root
  let depth = 0
  while (reference !== null) {
    if (reference instanceof Uint8Array) visit(reference)
    const node: TrieNode = reference instanceof Uint8Array ? source(reference) : reference
    if (node.kind === 'branch') {
      reference = node.children[nibbles[depth]!]!
      depth++
      continue
    }
    if (!startsWith(nibbles, depth, node.path)) return null
    if (node.kind === 'leaf') return node.value
    depth += node.path.length
    reference = node.child
  }
  return null
}

function startsWith(nibbles: Uint8Array, depth: number, path: Uint8Array): boolean {
  if (nibbles.length - depth < path.length) return false
  for (let i = 0; i < path.length; i++) if (nibbles[depth + i] !== path[i]) return false
  return true
}
