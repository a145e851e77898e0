import { keccak256 } from '../../../../base/crypto/keccak.js'
import type { TrieNode } from '../../../../base/crypto/trie/trie-node.js'
import { bytesToHex, type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address, Hash32 } from '../../../../base/primitives/hashes.js'
import type { CallRequest } from '../reading.js'
import { type AccountRecord, emptyAccount, emptyCodeHash } from '../state/account-record.js'
import { trimWord } from '../state/slot-value.js'
import type { StateView } from '../state/state-view.js'

const none = new Uint8Array(0)

/** A state with the overrides of eth_call's third parameter over it. */
export class OverriddenState implements StateView {
  private readonly codes = new Map<Hex, Uint8Array>()

  constructor(
    private readonly state: StateView,
    private readonly overrides: NonNullable<CallRequest['overrides']>,
  ) {
    for (const { code } of Object.values(overrides))
      if (code !== undefined && code.length > 0) this.codes.set(bytesToHex(keccak256(code)), code)
  }

  get root(): Uint8Array {
    return this.state.root
  }

  account(address: Address): AccountRecord | null {
    const account = this.state.account(address)
    const override = this.overrides[address]
    if (override === undefined) return account
    const { nonce, balance, codeHash, storageRoot } = account ?? emptyAccount
    return {
      nonce: override.nonce === undefined ? nonce : BigInt(override.nonce),
      balance: override.balance ?? balance,
      codeHash: override.code === undefined ? codeHash : codeHashOf(override.code),
      storageRoot,
    }
  }

  slot(address: Address, slot: Hash32): Uint8Array {
    const override = this.overrides[address]
    const word = override?.state?.[slot] ?? override?.stateDiff?.[slot]
    if (word !== undefined) return trimWord(hexToBytes(word))
    return override?.state === undefined ? this.state.slot(address, slot) : none
  }

  code(codeHash: Uint8Array): Uint8Array {
    return this.codes.get(bytesToHex(codeHash)) ?? this.state.code(codeHash)
  }

  node(hash: Uint8Array): TrieNode {
    return this.state.node(hash)
  }
}

function codeHashOf(code: Uint8Array): Uint8Array {
  return code.length === 0 ? emptyCodeHash : keccak256(code)
}
