import type { TrieNode } from '../../../../base/crypto/trie/trie-node.js'
import type { Hex } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import type { AccountRecord } from './account-record.js'

/** A state that blocks are executed on: flat reads, and the nodes of its tries. */
export interface StateView {
  /** Root of the account trie. */
  readonly root: Uint8Array
  account(address: Address): AccountRecord | null
  /** The word at a slot (32-byte hex), without leading zeros; empty when it is zero. */
  slot(address: Address, slot: Hex): Uint8Array
  /** @throws ExecutionError STORE_CORRUPT when no code with this hash was ever stored */
  code(codeHash: Uint8Array): Uint8Array
  /** A trie node of this state. @throws ExecutionError STORE_CORRUPT */
  node(hash: Uint8Array): TrieNode
}
