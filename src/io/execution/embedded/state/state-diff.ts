import type { SealedNode, TrieNode } from '../../../../base/crypto/trie/trie-node.js'
import { bytesToHex, type Hex } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import type { AccountRecord } from './account-record.js'
import { hashKey } from './hash-key.js'
import type { StateView } from './state-view.js'

/** What a block changed: values after it. */
export interface StateChanges {
  readonly accounts: ReadonlyMap<Address, AccountRecord | null>
  readonly slots: ReadonlyMap<Address, ReadonlyMap<Hex, Uint8Array>>
  /** New codes by the hex of their hash. */
  readonly codes: ReadonlyMap<Hex, Uint8Array>
}

/** The state after a block that is not stored yet: its changes over its parent's state. */
export class StateDiff implements StateView {
  private readonly nodesByHash = new Map<string, TrieNode>()
  /** The state before the block; replaced once that is the stored one. */
  parent: StateView

  constructor(
    readonly root: Uint8Array,
    readonly changes: StateChanges,
    readonly newNodes: readonly SealedNode[],
    parent: StateView,
  ) {
    this.parent = parent
    for (const { hash, node } of newNodes) this.nodesByHash.set(hashKey(hash), node)
  }

  account(address: Address): AccountRecord | null {
    const changed = this.changes.accounts.get(address)
    return changed === undefined ? this.parent.account(address) : changed
  }

  slot(address: Address, slot: Hex): Uint8Array {
    return this.changes.slots.get(address)?.get(slot) ?? this.parent.slot(address, slot)
  }

  code(codeHash: Uint8Array): Uint8Array {
    return this.changes.codes.get(bytesToHex(codeHash)) ?? this.parent.code(codeHash)
  }

  node(hash: Uint8Array): TrieNode {
    return this.nodesByHash.get(hashKey(hash)) ?? this.parent.node(hash)
  }
}
