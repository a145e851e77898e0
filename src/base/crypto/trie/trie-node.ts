import { DecodeError } from '../../encoding/decode-error.js'
import { decodeRlp, encodeRlp, type RlpItem } from '../../encoding/rlp.js'
import { keccak256 } from '../keccak.js'

/** What a parent holds of a child: its hash, or the child itself while it is new or shorter than 32 bytes. */
export type NodeReference = Uint8Array | TrieNode

export interface LeafNode {
  readonly kind: 'leaf'
  /** Nibbles from here to the end of the key. */
  readonly path: Uint8Array
  readonly value: Uint8Array
}
export interface ExtensionNode {
  readonly kind: 'extension'
  readonly path: Uint8Array
  child: NodeReference
}
/** Never holds a value of its own: no key of the tries here is a prefix of another. */
export interface BranchNode {
  readonly kind: 'branch'
  readonly children: (NodeReference | null)[]
}
/** A node of a Merkle Patricia trie (yellow paper, appendix D). */
export type TrieNode = LeafNode | ExtensionNode | BranchNode

/** A node with the hash under which it is stored and its encoding. */
export interface SealedNode {
  readonly hash: Uint8Array
  readonly encoded: Uint8Array
  readonly node: TrieNode
}

const empty = new Uint8Array(0)

/** Each byte as two nibbles. */
export function toNibbles(bytes: Uint8Array): Uint8Array {
  const nibbles = new Uint8Array(bytes.length * 2)
  for (let i = 0; i < bytes.length; i++) {
    nibbles[2 * i] = bytes[i]! >> 4
    nibbles[2 * i + 1] = bytes[i]! & 15
  }
  return nibbles
}

function packPath(path: Uint8Array, isLeaf: boolean): Uint8Array {
  const odd = path.length & 1
  const packed = new Uint8Array((path.length >> 1) + 1)
  packed[0] = (isLeaf ? 0x20 : 0) | (odd ? 0x10 | path[0]! : 0)
  for (let i = odd, at = 1; i < path.length; i += 2) packed[at++] = (path[i]! << 4) | path[i + 1]!
  return packed
}

function unpackPath(packed: Uint8Array): { path: Uint8Array; isLeaf: boolean } {
  const flags = packed[0]
  if (flags === undefined || flags >= 0x40) throw new DecodeError('trie node: path flags are invalid')
  const odd = (flags >> 4) & 1
  return { path: toNibbles(packed).subarray(odd ? 1 : 2), isLeaf: flags >= 0x20 }
}

/** @throws DecodeError */
export function decodeNode(bytes: Uint8Array): TrieNode {
  return nodeOfItem(decodeRlp(bytes))
}

function nodeOfItem(item: RlpItem): TrieNode {
  if (item instanceof Uint8Array) throw new DecodeError('trie node: expected a list')
  if (item.length === 17)
    return {
      kind: 'branch',
      children: item.slice(0, 16).map(child => (child.length === 0 ? null : referenceOfItem(child))),
    }
  const [first, second] = item
  if (item.length !== 2 || !(first instanceof Uint8Array) || second === undefined)
    throw new DecodeError('trie node: unexpected number of items')
  const { path, isLeaf } = unpackPath(first)
  if (!isLeaf) return { kind: 'extension', path, child: referenceOfItem(second) }
  if (!(second instanceof Uint8Array)) throw new DecodeError('trie node: a value must be bytes')
  return { kind: 'leaf', path, value: second }
}

function referenceOfItem(item: RlpItem): NodeReference {
  if (!(item instanceof Uint8Array)) return nodeOfItem(item)
  if (item.length !== 32) throw new DecodeError('trie node: a reference has not 32 bytes')
  return item
}

/**
 * Hashes a tree of new nodes bottom-up. Every node of 32 bytes or more goes to `out`, and its parent then holds its hash.
 * Gives the hash of the root, which is hashed however short it is.
 */
export function sealTree(root: TrieNode, out: SealedNode[]): Uint8Array {
  const encoded = encodeRlp(itemOf(root, out))
  const hash = keccak256(encoded)
  out.push({ hash, encoded, node: root })
  return hash
}

function itemOf(node: TrieNode, out: SealedNode[]): RlpItem {
  if (node.kind === 'leaf') return [packPath(node.path, true), node.value]
  if (node.kind === 'extension') {
    node.child = sealChild(node.child, out)
    return [packPath(node.path, false), childItem(node.child, out)]
  }
  const { children } = node
  const items = new Array<RlpItem>(17)
  for (let i = 0; i < 16; i++) {
    const child = children[i]!
    if (child === null) items[i] = empty
    else {
      const sealed = sealChild(child, out)
      children[i] = sealed
      items[i] = childItem(sealed, out)
    }
  }
  items[16] = empty
  return items
}

/** The child's hash when it is long enough to be stored by it, else the child as it is. */
function sealChild(child: NodeReference, out: SealedNode[]): NodeReference {
  if (child instanceof Uint8Array) return child
  const encoded = encodeRlp(itemOf(child, out))
  if (encoded.length < 32) return child
  const hash = keccak256(encoded)
  out.push({ hash, encoded, node: child })
  return hash
}

function childItem(child: NodeReference, out: SealedNode[]): RlpItem {
  return child instanceof Uint8Array ? child : itemOf(child, out)
}
