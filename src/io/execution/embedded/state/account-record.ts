import { keccak256 } from '../../../../base/crypto/keccak.js'
import { emptyRoot } from '../../../../base/crypto/trie/update-trie.js'
import { encodeRlp } from '../../../../base/encoding/rlp.js'
import { RlpFields, rlpUint } from '../../../../base/encoding/rlp-fields.js'
import { bytesEqual } from '../../../../base/primitives/bytes.js'

/** An account as the state trie holds it. Records are never changed in place. */
export interface AccountRecord {
  readonly nonce: bigint
  readonly balance: bigint
  readonly storageRoot: Uint8Array
  readonly codeHash: Uint8Array
}

/** Hash of no code. */
export const emptyCodeHash = keccak256(new Uint8Array(0))

/** An account without nonce, balance and code; equal to no account at all (EIP-161). */
export const emptyAccount: AccountRecord = { nonce: 0n, balance: 0n, storageRoot: emptyRoot, codeHash: emptyCodeHash }

/** Value of the account in the state trie. */
export function encodeAccount(account: AccountRecord): Uint8Array {
  return encodeRlp([rlpUint(account.nonce), rlpUint(account.balance), account.storageRoot, account.codeHash])
}

/** @throws DecodeError */
export function decodeAccount(bytes: Uint8Array): AccountRecord {
  const fields = RlpFields.decode(bytes, 'account')
  const nonce = fields.uint(64)
  const balance = fields.uint(256)
  const storageRoot = fields.bytes({ min: 32, max: 32 })
  const codeHash = fields.bytes({ min: 32, max: 32 })
  fields.end()
  return { nonce, balance, storageRoot, codeHash }
}

export function accountsEqual(a: AccountRecord | null, b: AccountRecord | null): boolean {
  if (a === b) return true
  if (a === null || b === null) return false
  return (
    a.nonce === b.nonce &&
    a.balance === b.balance &&
    sameBytes(a.codeHash, b.codeHash) &&
    sameBytes(a.storageRoot, b.storageRoot)
  )
}

export function hasCode(account: AccountRecord): boolean {
  return !sameBytes(account.codeHash, emptyCodeHash)
}

/** EIP-161. */
export function isEmptyAccount(account: AccountRecord): boolean {
  return account.nonce === 0n && account.balance === 0n && !hasCode(account)
}

/** Whether code is an EIP-7702 delegation designator. */
export function isDelegation(code: Uint8Array): boolean {
  return code.length === 23 && code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a === b || bytesEqual(a, b)
