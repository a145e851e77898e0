import { decodeNode, type TrieNode } from '../../../../base/crypto/trie/trie-node.js'
import type { KeyValueStore } from '../../../storage/key-value-store.js'
import { ExecutionError } from '../../execution-error.js'
import { chainKeys } from '../store/chain-keys.js'
import { BoundedMap } from './bounded-map.js'
import { hashKey } from './hash-key.js'

/** Stored trie nodes and codes, the recently used of them decoded in memory. Content-addressed: never stale. */
export class NodeCache {
  private readonly nodes: BoundedMap<string, TrieNode>
  private readonly codes = new BoundedMap<string, Uint8Array>(512)

  constructor(
    private readonly store: KeyValueStore,
    capacity = 32_768,
  ) {
    this.nodes = new BoundedMap(capacity)
  }

  /** @throws ExecutionError STORE_CORRUPT */
  node(hash: Uint8Array): TrieNode {
    const key = hashKey(hash)
    const cached = this.nodes.get(key)
    if (cached !== undefined) return cached
    const node = decodeNode(this.encodedNode(hash))
    this.nodes.set(key, node)
    return node
  }

  /** @throws ExecutionError STORE_CORRUPT */
  encodedNode(hash: Uint8Array): Uint8Array {
    const encoded = this.store.get(chainKeys.node(hash))
    if (encoded === undefined) throw new ExecutionError('STORE_CORRUPT', 'a node of the state trie is missing')
    return encoded
  }

  /** The same array for the same code, so that what is derived from it can be cached too. @throws ExecutionError STORE_CORRUPT */
  code(codeHash: Uint8Array): Uint8Array {
    const key = hashKey(codeHash)
    const cached = this.codes.get(key)
    if (cached !== undefined) return cached
    const code = this.store.get(chainKeys.code(codeHash))
    if (code === undefined) throw new ExecutionError('STORE_CORRUPT', 'the code of an account is missing')
    this.codes.set(key, code)
    return code
  }

  addNode(hash: Uint8Array, node: TrieNode): void {
    this.nodes.set(hashKey(hash), node)
  }

  addCode(codeHash: Uint8Array, code: Uint8Array): void {
    this.codes.set(hashKey(codeHash), code)
  }
}
