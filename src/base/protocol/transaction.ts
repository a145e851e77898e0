import { keccak256, keccak256Hex } from '../crypto/keccak.js'
import { hasLowS, recoverAddress } from '../crypto/secp256k1.js'
import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp, type RlpItem } from '../encoding/rlp.js'
import { RlpFields, rlpUint } from '../encoding/rlp-fields.js'
import { bytesToHex, concatBytes, type Hex } from '../primitives/bytes.js'
import type { Address, TransactionHash } from '../primitives/hashes.js'
import type { Wei } from '../primitives/quantities.js'

/** EIP-2718 types that the L2 executes: legacy, access list (2930), fee market (1559), set code (7702). */
export type TransactionType = 0 | 1 | 2 | 4

/** One entry of an access list (EIP-2930). */
export interface AccessListEntry {
  readonly address: Address
  readonly storageKeys: readonly Hex[]
}

/** One signed delegation of a set-code transaction (EIP-7702). */
export interface Authorization {
  readonly chainId: bigint
  readonly address: Address
  readonly nonce: bigint
  readonly yParity: number
  readonly r: bigint
  readonly s: bigint
}

/** A signed transaction as decoded; legacy and access-list transactions have both fee fields equal to their gas price. */
export interface Transaction {
  readonly type: TransactionType
  readonly hash: TransactionHash
  /** EIP-2718 encoding. */
  readonly raw: Uint8Array
  /** Null for a legacy transaction without replay protection (EIP-155). */
  readonly chainId: bigint | null
  readonly nonce: number
  readonly maxFeePerGas: Wei
  readonly maxPriorityFeePerGas: Wei
  readonly gasLimit: bigint
  /** Null creates a contract. */
  readonly to: Address | null
  readonly value: Wei
  readonly data: Uint8Array
  readonly accessList: readonly AccessListEntry[]
  readonly authorizations: readonly Authorization[]
  /** r ‖ s. */
  readonly rs: Uint8Array
  readonly recovery: 0 | 1
  /** v as encoded (legacy) or the y parity. */
  readonly v: bigint
  /** The digest that the sender signed. */
  readonly signingHash: Uint8Array
}

/** The transaction is of a type that this chain does not execute; the text is what a client shows. */
export class UnsupportedTransactionError extends DecodeError {
  constructor(readonly type: number) {
    super(
      type === 3
        ? 'transaction type not supported: blob transactions are not accepted on L2'
        : 'transaction type not supported',
      { type },
    )
  }
}

/** Largest encoded transaction that is read, in bytes (as geth's pool: 128 KiB). */
export const maxTransactionBytes = 128 * 1024
/** Gas that every transaction costs (yellow paper, appendix G). */
export const leastTransactionGas = 21_000
/** Most items of a transaction: its own fields, and the smallest there are, addresses of an access list without keys, three in 23 bytes. */
const itemsIn = (raw: Uint8Array) => ({ maxItems: 64 + Math.floor(raw.length / 7) })

/** Decodes an EIP-2718 transaction; the sender is not recovered here. @throws DecodeError @throws UnsupportedTransactionError */
export function decodeTransaction(raw: Uint8Array): Transaction {
  const first = raw[0]
  if (first === undefined) throw new DecodeError('transaction: empty')
  if (raw.length > maxTransactionBytes) throw new DecodeError('transaction: oversized data', { length: raw.length })
  if (first >= 0xc0) return decodeLegacy(raw)
  if (first === 1 || first === 2 || first === 4) return decodeTyped(raw, first)
  throw new UnsupportedTransactionError(first)
}

/** The account whose key signed it, or null when the signature is none (or has a high s, EIP-2). */
export function recoverSender(transaction: Transaction): Address | null {
  if (!hasLowS(transaction.rs)) return null
  return recoverAddress(transaction.signingHash, { rs: transaction.rs, recovery: transaction.recovery })
}

function decodeLegacy(raw: Uint8Array): Transaction {
  const fields = RlpFields.decode(raw, 'transaction', itemsIn(raw))
  const nonce = fields.safeUint()
  const gasPrice = fields.uint(256)
  const gasLimit = fields.uint(64)
  const to = readTo(fields)
  const value = fields.uint(256)
  const data = fields.bytes()
  const v = fields.uint(256)
  const rs = readRs(fields)
  fields.end()
  const isProtected = v >= 35n
  if (!isProtected && v !== 27n && v !== 28n) throw new DecodeError('transaction: v is invalid')
  const chainId = isProtected ? (v - 35n) / 2n : null
  const recovery = (isProtected ? (v - 35n) % 2n : v - 27n) === 1n ? 1 : 0
  const unsigned: RlpItem[] = [rlpUint(nonce), rlpUint(gasPrice), rlpUint(gasLimit), toItem(to), rlpUint(value), data]
  if (chainId !== null) unsigned.push(rlpUint(chainId), rlpUint(0), rlpUint(0))
  return {
    type: 0,
    hash: keccak256Hex(raw),
    raw,
    chainId,
    nonce,
    maxFeePerGas: gasPrice,
    maxPriorityFeePerGas: gasPrice,
    gasLimit,
    to: to === null ? null : bytesToHex(to),
    value,
    data,
    accessList: [],
    authorizations: [],
    rs,
    recovery,
    v,
    signingHash: keccak256(encodeRlp(unsigned)),
  }
}

function decodeTyped(raw: Uint8Array, type: 1 | 2 | 4): Transaction {
  const fields = RlpFields.decode(raw.subarray(1), 'transaction', itemsIn(raw))
  const unsigned: RlpItem[] = []
  const keep = <Value>(value: Value, item: RlpItem): Value => {
    unsigned.push(item)
    return value
  }
  const uint = (bits: number): bigint => {
    const value = fields.uint(bits)
    return keep(value, rlpUint(value))
  }
  const chainId = uint(256)
  const nonce = fields.safeUint()
  unsigned.push(rlpUint(nonce))
  const first = uint(256)
  const maxFeePerGas = type === 1 ? first : uint(256)
  const gasLimit = uint(64)
  const to = readTo(fields)
  keep(to, toItem(to))
  const value = uint(256)
  const data = fields.bytes()
  unsigned.push(data)
  const accessItem = fields.item()
  unsigned.push(accessItem)
  const accessList = readAccessList(accessItem)
  let authorizations: Authorization[] = []
  if (type === 4) {
    const item = fields.item()
    unsigned.push(item)
    authorizations = readAuthorizations(item)
    if (to === null) throw new DecodeError('transaction: a set-code transaction cannot create a contract')
    if (authorizations.length === 0) throw new DecodeError('transaction: a set-code transaction needs an authorization')
  }
  const v = fields.uint(8)
  if (v > 1n) throw new DecodeError('transaction: y parity is invalid')
  const rs = readRs(fields)
  fields.end()
  if (maxFeePerGas < first && type !== 1)
    throw new DecodeError('transaction: max priority fee per gas higher than max fee per gas')
  return {
    type,
    hash: keccak256Hex(raw),
    raw,
    chainId,
    nonce,
    maxFeePerGas,
    maxPriorityFeePerGas: first,
    gasLimit,
    to: to === null ? null : bytesToHex(to),
    value,
    data,
    accessList,
    authorizations,
    rs,
    recovery: v === 1n ? 1 : 0,
    v,
    signingHash: keccak256(concatBytes(Uint8Array.of(type), encodeRlp(unsigned))),
  }
}

function readTo(fields: RlpFields): Uint8Array | null {
  const to = fields.bytes({ max: 20 })
  if (to.length === 0) return null
  if (to.length !== 20) throw new DecodeError('transaction: the recipient is no address')
  return to
}

const toItem = (to: Uint8Array | null): RlpItem => to ?? new Uint8Array(0)

function readRs(fields: RlpFields): Uint8Array {
  const rs = new Uint8Array(64)
  const r = fields.uintBytes(256)
  const s = fields.uintBytes(256)
  rs.set(r, 32 - r.length)
  rs.set(s, 64 - s.length)
  return rs
}

function readAccessList(item: RlpItem): AccessListEntry[] {
  if (item instanceof Uint8Array) throw new DecodeError('transaction: the access list is no list')
  return item.map(entry => {
    const fields = RlpFields.of(entry, 'access list entry')
    const address = fields.address()
    const storageKeys = fields.items().map(key => {
      if (!(key instanceof Uint8Array) || key.length !== 32)
        throw new DecodeError('access list entry: a key has not 32 bytes')
      return bytesToHex(key)
    })
    fields.end()
    return { address, storageKeys }
  })
}

function readAuthorizations(item: RlpItem): Authorization[] {
  if (item instanceof Uint8Array) throw new DecodeError('transaction: the authorization list is no list')
  return item.map(entry => {
    const fields = RlpFields.of(entry, 'authorization')
    const authorization: Authorization = {
      chainId: fields.uint(256),
      address: fields.address(),
      nonce: fields.uint(64),
      yParity: Number(fields.uint(8)),
      r: fields.uint(256),
      s: fields.uint(256),
    }
    fields.end()
    return authorization
  })
}
