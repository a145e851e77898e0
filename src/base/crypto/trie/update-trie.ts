import { encodeRlp } from '../../encoding/rlp.js'
import { bytesEqual } from '../../primitives/bytes.js'
import { keccak256 } from '../keccak.js'
import { type NodeReference, type SealedNode, sealTree, type TrieNode, toNibbles } from './trie-node.js'

/** Finds a stored node by its hash; what it throws when there is none is its own. */
export type NodeSource = (hash: Uint8Array) => TrieNode

/** A change of one key: `value` null deletes it. */
export interface TrieChange {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** Hash of the trie that holds nothing: keccak256(RLP('')). */
export const emptyRoot = keccak256(encodeRlp(new Uint8Array(0)))

interface Entry {
  readonly path: Uint8Array
  readonly value: Uint8Array | null
}

/**
 * Applies all changes in one walk and gives the new root with the nodes that did not exist before. Keys are distinct, and
 * none is a prefix of another (hashed keys, or RLP of an index).
 */
export function updateTrie({
  root,
  changes,
  source,
}: {
  readonly root: Uint8Array
  readonly changes: readonly TrieChange[]
  readonly source: NodeSource
}): { readonly root: Uint8Array; readonly nodes: readonly SealedNode[] } {
  if (changes.length === 0) return { root, nodes: [] }
  const entries = changes.map(({ key, value }) => ({ path: toNibbles(key), value }))
  const start = bytesEqual(root, emptyRoot) ? null : root
  const result = new Updater(source).update(start, entries, 0)
  if (result === null) return { root: emptyRoot, nodes: [] }
  if (result instanceof Uint8Array) return { root: result, nodes: [] }
  const nodes: SealedNode[] = []
  return { root: sealTree(result, nodes), nodes }
}

/** Root of the trie that maps RLP(index) to each item: transactionsRoot, receiptsRoot, withdrawalsRoot. */
export function orderedTrieRoot(items: readonly Uint8Array[]): Uint8Array {
  const changes = items.map((value, index) => ({ key: encodeRlp(indexBytes(index)), value }))
  return updateTrie({ root: emptyRoot, changes, source: noNodes }).root
}

function indexBytes(index: number): Uint8Array {
  if (index === 0) return new Uint8Array(0)
  if (index < 0x100) return Uint8Array.of(index)
  if (index < 0x10000) return Uint8Array.of(index >> 8, index & 255)
  return Uint8Array.of(index >> 16, (index >> 8) & 255, index & 255)
}

const noNodes: NodeSource = () => {
  throw new RangeError('a trie built from nothing has no stored nodes')
}

class Updater {
  constructor(private readonly source: NodeSource) {}

  /** The tree at `reference`, whose nodes start at nibble `depth` of the keys, with the entries applied; unchanged it is returned as it was. */
  update(reference: NodeReference | null, entries: readonly Entry[], depth: number): NodeReference | null {
    if (entries.length === 0) return reference
    if (reference === null) return build(withoutDeletions(entries), depth)
    const node = this.resolve(reference)
    if (node.kind === 'branch') return this.updateBranch({ reference, node, entries, depth })
    if (node.kind === 'leaf') return updateLeaf({ reference, path: node.path, value: node.value, entries, depth })
    return this.updateExtension({ reference, path: node.path, child: node.child, entries, depth })
  }

  private updateBranch({
    reference,
    node,
    entries,
    depth,
  }: {
    reference: NodeReference | null
    node: { readonly children: readonly (NodeReference | null)[] }
    entries: readonly Entry[]
    depth: number
  }): NodeReference | null {
    const children = node.children.slice()
    let changed = false
    for (const [nibble, group] of groups(entries, depth)) {
      const before = children[nibble]!
      const after = this.update(before, group, depth + 1)
      if (after === before) continue
      children[nibble] = after
      changed = true
    }
    if (!changed && reference !== null) return reference
    let count = 0
    let last = 0
    for (let i = 0; i < 16; i++)
      if (children[i] !== null) {
        count++
        last = i
      }
    if (count === 0) return null
    if (count === 1) return this.prepend(Uint8Array.of(last), children[last]!)
    return { kind: 'branch', children }
  }

  private updateExtension({
    reference,
    path,
    child,
    entries,
    depth,
  }: {
    reference: NodeReference
    path: Uint8Array
    child: NodeReference
    entries: readonly Entry[]
    depth: number
  }): NodeReference | null {
    let shared = path.length
    const kept: Entry[] = []
    for (const entry of entries) {
      const common = commonLength(path, 0, entry.path, depth)
      if (common < path.length && entry.value === null) continue
      kept.push(entry)
      if (common < shared) shared = common
    }
    if (kept.length === 0) return reference
    if (shared === path.length) {
      const after = this.update(child, kept, depth + path.length)
      if (after === child) return reference
      return after === null ? null : this.prepend(path, after)
    }
    const children = new Array<NodeReference | null>(16).fill(null)
    children[path[shared]!] =
      shared + 1 === path.length ? child : { kind: 'extension', path: path.subarray(shared + 1), child }
    const branch = this.updateBranch({ reference: null, node: { children }, entries: kept, depth: depth + shared })
    return branch === null ? null : this.prepend(path.subarray(0, shared), branch)
  }

  /** The tree with nibbles put before it; leaves and extensions take them into their own path. */
  private prepend(prefix: Uint8Array, reference: NodeReference): NodeReference {
    if (prefix.length === 0) return reference
    const node = this.resolve(reference)
    if (node.kind === 'leaf') return { kind: 'leaf', path: join(prefix, node.path), value: node.value }
    if (node.kind === 'extension') return { kind: 'extension', path: join(prefix, node.path), child: node.child }
    return { kind: 'extension', path: prefix, child: reference }
  }

  private resolve(reference: NodeReference): TrieNode {
    return reference instanceof Uint8Array ? this.source(reference) : reference
  }
}

function updateLeaf({
  reference,
  path,
  value,
  entries,
  depth,
}: {
  reference: NodeReference
  path: Uint8Array
  value: Uint8Array
  entries: readonly Entry[]
  depth: number
}): NodeReference | null {
  const kept: Entry[] = []
  let replaced = false
  for (const entry of entries) {
    if (commonLength(path, 0, entry.path, depth) === path.length) {
      replaced = true
      if (entry.value !== null && bytesEqual(entry.value, value)) {
        if (entries.length === 1) return reference
      }
    }
    if (entry.value !== null) kept.push(entry)
  }
  if (!replaced) {
    if (kept.length === 0) return reference
    kept.push({ path: join(entries[0]!.path.subarray(0, depth), path), value })
  }
  return build(kept, depth)
}

/** A tree of exactly these entries, none of them a deletion. */
function build(entries: readonly Entry[], depth: number): TrieNode | null {
  const first = entries[0]
  if (first === undefined) return null
  if (entries.length === 1) return { kind: 'leaf', path: first.path.subarray(depth), value: first.value! }
  let shared = first.path.length - depth
  for (let i = 1; i < entries.length; i++)
    shared = Math.min(shared, commonLength(first.path, depth, entries[i]!.path, depth))
  const children = new Array<NodeReference | null>(16).fill(null)
  for (const [nibble, group] of groups(entries, depth + shared)) children[nibble] = build(group, depth + shared + 1)
  const branch: TrieNode = { kind: 'branch', children }
  return shared === 0 ? branch : { kind: 'extension', path: first.path.subarray(depth, depth + shared), child: branch }
}

/** The entries by their nibble at `depth`, lowest first. */
function groups(entries: readonly Entry[], depth: number): [number, Entry[]][] {
  if (entries.length === 1) return [[entries[0]!.path[depth]!, [entries[0]!]]]
  const buckets = new Array<Entry[] | undefined>(16)
  for (const entry of entries) {
    const nibble = entry.path[depth]!
    const bucket = buckets[nibble]
    if (bucket === undefined) buckets[nibble] = [entry]
    else bucket.push(entry)
  }
  const found: [number, Entry[]][] = []
  for (let nibble = 0; nibble < 16; nibble++) {
    const bucket = buckets[nibble]
    if (bucket !== undefined) found.push([nibble, bucket])
  }
  return found
}

function withoutDeletions(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(entry => entry.value !== null)
}

function commonLength(a: Uint8Array, atA: number, b: Uint8Array, atB: number): number {
  const limit = Math.min(a.length - atA, b.length - atB)
  let length = 0
  while (length < limit && a[atA + length] === b[atB + length]) length++
  return length
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}
