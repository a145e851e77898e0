import { keccak256 } from '../../../../base/crypto/keccak.js'
import { proveTrie, readTrie } from '../../../../base/crypto/trie/read-trie.js'
import type { TrieNode } from '../../../../base/crypto/trie/trie-node.js'
import { bytesToHex, bytesToUint, type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address, Hash32, StateRoot } from '../../../../base/primitives/hashes.js'
import type { AccountProof, StateReader } from '../reading.js'
import { type AccountRecord, decodeAccount, emptyAccount, hasCode } from './account-record.js'
import type { NodeCache } from './node-cache.js'
import { decodeSlotValue, wordToHex } from './slot-value.js'
import type { StateView } from './state-view.js'

const none = new Uint8Array(0)

/** The state at one root, read through its tries: of any height. */
export class TrieState implements StateView {
  constructor(
    readonly root: Uint8Array,
    private readonly nodes: NodeCache,
  ) {}

  account(address: Address): AccountRecord | null {
    const value = readTrie(this.root, keccak256(hexToBytes(address)), this.node)
    return value === null ? null : decodeAccount(value)
  }

  slot(address: Address, slot: Hex): Uint8Array {
    const account = this.account(address)
    if (account === null) return none
    const value = readTrie(account.storageRoot, keccak256(hexToBytes(slot)), this.node)
    return value === null ? none : decodeSlotValue(value)
  }

  code(codeHash: Uint8Array): Uint8Array {
    return this.nodes.code(codeHash)
  }

  readonly node = (hash: Uint8Array): TrieNode => this.nodes.node(hash)
}

/** Reads the state behind any root of the canonical chain. Methods throw ExecutionError STORE_CORRUPT on an unknown root. */
export class TrieStateReader implements StateReader {
  constructor(private readonly nodes: NodeCache) {}

  at(root: StateRoot): TrieState {
    return new TrieState(hexToBytes(root), this.nodes)
  }

  balance(root: StateRoot, address: Address): bigint {
    return this.at(root).account(address)?.balance ?? 0n
  }

  nonce(root: StateRoot, address: Address): number {
    return Number(this.at(root).account(address)?.nonce ?? 0n)
  }

  code(root: StateRoot, address: Address): Uint8Array {
    const account = this.at(root).account(address)
    return account === null || !hasCode(account) ? none : this.nodes.code(account.codeHash)
  }

  storage(root: StateRoot, address: Address, slot: Hash32): Hash32 {
    return wordToHex(this.at(root).slot(address, slot))
  }

  proof(root: StateRoot, address: Address, slots: readonly Hash32[]): AccountProof {
    const state = this.at(root)
    const prove = (trie: Uint8Array, key: Uint8Array) =>
      proveTrie({ root: trie, key, source: state.node, encodedNode: hash => this.nodes.encodedNode(hash) })
    const account = state.account(address) ?? emptyAccount
    return {
      nonce: Number(account.nonce),
      balance: account.balance,
      codeHash: bytesToHex(account.codeHash),
      storageRoot: bytesToHex(account.storageRoot),
      accountProof: prove(state.root, keccak256(hexToBytes(address))),
      storageProof: slots.map(slot => ({
        slot,
        value: bytesToUint(state.slot(address, slot)),
        proof: prove(account.storageRoot, keccak256(hexToBytes(slot))),
      })),
    }
  }
}
