import type { TrieNode } from '../../../../base/crypto/trie/trie-node.js'
import { type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import type { KeyValueStore } from '../../../storage/key-value-store.js'
import { chainKeys } from '../store/chain-keys.js'
import { type AccountRecord, decodeAccount } from './account-record.js'
import { BoundedMap } from './bounded-map.js'
import type { NodeCache } from './node-cache.js'
import type { StateDiff } from './state-diff.js'
import type { StateView } from './state-view.js'

const none = new Uint8Array(0)

/** The stored state of the head, read from its flat form, with what was recently used in memory. */
export class FlatState implements StateView {
  private readonly accounts = new BoundedMap<Address, { readonly record: AccountRecord | null }>(65_536)
  private readonly slots = new BoundedMap<string, Uint8Array>(131_072)

  constructor(
    private readonly store: KeyValueStore,
    private readonly cache: NodeCache,
    public root: Uint8Array,
  ) {}

  account(address: Address): AccountRecord | null {
    const cached = this.accounts.get(address)
    if (cached !== undefined) return cached.record
    const stored = this.store.get(chainKeys.account(address))
    const record = stored === undefined ? null : decodeAccount(stored)
    this.accounts.set(address, { record })
    return record
  }

  slot(address: Address, slot: Hex): Uint8Array {
    const key = address + slot
    const cached = this.slots.get(key)
    if (cached !== undefined) return cached
    const value = this.store.get(chainKeys.slot(address, slot)) ?? none
    this.slots.set(key, value)
    return value
  }

  code(codeHash: Uint8Array): Uint8Array {
    return this.cache.code(codeHash)
  }

  node(hash: Uint8Array): TrieNode {
    return this.cache.node(hash)
  }

  /** Follows a state that was written to the store. */
  advance({ root, changes, newNodes }: StateDiff): void {
    for (const [address, record] of changes.accounts) this.accounts.set(address, { record })
    for (const [address, slots] of changes.slots)
      for (const [slot, value] of slots) this.slots.set(address + slot, value)
    for (const [hash, code] of changes.codes) this.cache.addCode(hexToBytes(hash), code)
    for (const { hash, node } of newNodes) this.cache.addNode(hash, node)
    this.root = root
  }
}
