import { keccak256 } from '../../../../base/crypto/keccak.js'
import type { SealedNode } from '../../../../base/crypto/trie/trie-node.js'
import { emptyRoot, type TrieChange, updateTrie } from '../../../../base/crypto/trie/update-trie.js'
import { bytesToHex, type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import { invariant } from '../../../../base/primitives/invariant.js'
import { type AccountRecord, accountsEqual, emptyAccount, emptyCodeHash, encodeAccount } from './account-record.js'
import { encodeSlotValue } from './slot-value.js'
import { StateDiff } from './state-diff.js'
import type { StateView } from './state-view.js'

type Undo = () => void

/** The state that one block, or one call, is being executed on: changes over a base, with nested checkpoints. */
export class WorkingState {
  private readonly accounts = new Map<Address, AccountRecord | null>()
  private readonly slots = new Map<Address, Map<Hex, Uint8Array>>()
  private readonly codes = new Map<Hex, Uint8Array>()
  /** Values of slots at the start of the transaction, of those that it wrote (EIP-2200). */
  private originals = new Map<Address, Map<Hex, Uint8Array>>()
  private readonly undo: Undo[] = []
  private readonly checkpoints: number[] = []

  constructor(readonly base: StateView) {}

  account(address: Address): AccountRecord | null {
    const changed = this.accounts.get(address)
    return changed === undefined ? this.base.account(address) : changed
  }

  setAccount(address: Address, account: AccountRecord | null): void {
    if (this.checkpoints.length > 0) {
      const before = this.accounts.get(address)
      this.undo.push(() => {
        if (before === undefined) this.accounts.delete(address)
        else this.accounts.set(address, before)
      })
    }
    this.accounts.set(address, account)
  }

  /** Removes an account with its storage; only one created in this same transaction may have storage (EIP-6780). */
  deleteAccount(address: Address): void {
    this.clearStorage(address)
    this.setAccount(address, null)
  }

  slot(address: Address, slot: Hex): Uint8Array {
    return this.slots.get(address)?.get(slot) ?? this.base.slot(address, slot)
  }

  originalSlot(address: Address, slot: Hex): Uint8Array {
    return this.originals.get(address)?.get(slot) ?? this.slot(address, slot)
  }

  setSlot(address: Address, slot: Hex, value: Uint8Array): void {
    let slots = this.slots.get(address)
    if (slots === undefined) {
      slots = new Map()
      this.slots.set(address, slots)
    }
    const before = slots.get(slot)
    this.keepOriginal(address, slot, before ?? this.base.slot(address, slot))
    if (this.checkpoints.length > 0) {
      const written = slots
      this.undo.push(() => {
        if (before === undefined) written.delete(slot)
        else written.set(slot, before)
      })
    }
    slots.set(slot, value)
  }

  /** Sets every slot to zero. */
  clearStorage(address: Address): void {
    const root = this.base.account(address)?.storageRoot ?? emptyRoot
    invariant(
      bytesToHex(root) === bytesToHex(emptyRoot),
      'storage that was stored by an earlier block is never cleared',
      {
        address,
      },
    )
    const slots = this.slots.get(address)
    if (slots === undefined) return
    for (const slot of [...slots.keys()]) this.setSlot(address, slot, zero)
  }

  code(address: Address): Uint8Array {
    const account = this.account(address)
    return account === null ? zero : this.codeOf(account.codeHash)
  }

  codeOf(codeHash: Uint8Array): Uint8Array {
    const key = bytesToHex(codeHash)
    if (key === emptyCodeKey) return zero
    return this.codes.get(key) ?? this.base.code(codeHash)
  }

  setCode(address: Address, code: Uint8Array): void {
    const codeHash = code.length === 0 ? emptyCodeHash : keccak256(code)
    if (code.length > 0) this.codes.set(bytesToHex(codeHash), code)
    this.setAccount(address, { ...(this.account(address) ?? emptyAccount), codeHash })
  }

  checkpoint(): void {
    this.checkpoints.push(this.undo.length)
  }

  commit(): void {
    invariant(this.checkpoints.pop() !== undefined, 'a commit has its checkpoint')
    if (this.checkpoints.length === 0) this.undo.length = 0
  }

  revert(): void {
    const length = this.checkpoints.pop()
    invariant(length !== undefined, 'a revert has its checkpoint')
    while (this.undo.length > length) this.undo.pop()!()
  }

  /** What slots held from now on counts as their original value. */
  startTransaction(): void {
    if (this.originals.size > 0) this.originals = new Map()
  }

  /** Computes the roots and gives the finished state. */
  finish(): StateDiff {
    invariant(this.checkpoints.length === 0, 'a finished state has no open checkpoint')
    const nodes: SealedNode[] = []
    const slots = this.finishStorage(nodes)
    const accounts = new Map<Address, AccountRecord | null>()
    const changes: TrieChange[] = []
    for (const [address, account] of this.accounts) {
      if (accountsEqual(account, this.base.account(address))) continue
      accounts.set(address, account)
      const value = account === null ? null : encodeAccount(account)
      changes.push({ key: keccak256(hexToBytes(address)), value })
    }
    const source = (hash: Uint8Array) => this.base.node(hash)
    const updated = updateTrie({ root: this.base.root, changes, source })
    nodes.push(...updated.nodes)
    return new StateDiff(updated.root, { accounts, slots, codes: this.codes }, nodes, this.base)
  }

  /** Updates the storage tries, writes their roots into the accounts, and gives the slots that really changed. */
  private finishStorage(nodes: SealedNode[]): Map<Address, Map<Hex, Uint8Array>> {
    const source = (hash: Uint8Array) => this.base.node(hash)
    const changedSlots = new Map<Address, Map<Hex, Uint8Array>>()
    for (const [address, slots] of this.slots) {
      const changed = new Map<Hex, Uint8Array>()
      const changes: TrieChange[] = []
      for (const [slot, value] of slots) {
        if (wordsEqual(value, this.base.slot(address, slot))) continue
        changed.set(slot, value)
        changes.push({ key: keccak256(hexToBytes(slot)), value: value.length === 0 ? null : encodeSlotValue(value) })
      }
      if (changes.length === 0) continue
      const account = this.account(address)
      invariant(account !== null, 'an account with storage exists', { address })
      const updated = updateTrie({ root: account.storageRoot, changes, source })
      for (const node of updated.nodes) nodes.push(node)
      this.accounts.set(address, { ...account, storageRoot: updated.root })
      changedSlots.set(address, changed)
    }
    return changedSlots
  }

  private keepOriginal(address: Address, slot: Hex, value: Uint8Array): void {
    let originals = this.originals.get(address)
    if (originals === undefined) {
      originals = new Map()
      this.originals.set(address, originals)
    }
    if (!originals.has(slot)) originals.set(slot, value)
  }
}

const zero = new Uint8Array(0)
const emptyCodeKey = bytesToHex(emptyCodeHash)

function wordsEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
