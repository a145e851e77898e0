import { keccak256 } from '../../base/crypto/keccak.js'
import { signDigest } from '../../base/crypto/secp256k1.js'
import { encodeRlp, type RlpItem } from '../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { bytesToUint, concatBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import type { Wei } from '../../base/primitives/quantities.js'
import type { AccessListEntry, TransactionType } from '../../base/protocol/transaction.js'

/** A delegation to be signed by its authority (EIP-7702). */
export interface UnsignedAuthorization {
  readonly chainId: number
  readonly address: Address
  readonly nonce: number
  readonly authorityKey: Uint8Array
}

/** A transaction before it is signed; fields that its type does not have are ignored. */
export interface UnsignedTransaction {
  readonly type: TransactionType
  readonly chainId: number
  readonly nonce: number
  /** Gas price of types 0 and 1. */
  readonly maxFeePerGas: Wei
  readonly maxPriorityFeePerGas?: Wei
  readonly gasLimit: number
  readonly to: Address | null
  readonly value?: Wei
  readonly data?: Uint8Array
  readonly accessList?: readonly AccessListEntry[]
  readonly authorizations?: readonly UnsignedAuthorization[]
}

/** The signed transaction in its EIP-2718 encoding. */
export function signTransaction(transaction: UnsignedTransaction, privateKey: Uint8Array): Uint8Array {
  const { type, chainId } = transaction
  if (type === 0) {
    const fields = legacyFields(transaction)
    const { rs, recovery } = signDigest(
      keccak256(encodeRlp([...fields, rlpUint(chainId), rlpUint(0), rlpUint(0)])),
      privateKey,
    )
    return encodeRlp([...fields, rlpUint(chainId * 2 + 35 + recovery), ...signatureItems(rs)])
  }
  const fields = typedFields(transaction)
  const prefix = Uint8Array.of(type)
  const { rs, recovery } = signDigest(keccak256(concatBytes(prefix, encodeRlp(fields))), privateKey)
  return concatBytes(prefix, encodeRlp([...fields, rlpUint(recovery), ...signatureItems(rs)]))
}

function legacyFields({ nonce, maxFeePerGas, gasLimit, to, value = 0n, data = none }: UnsignedTransaction): RlpItem[] {
  return [rlpUint(nonce), rlpUint(maxFeePerGas), rlpUint(gasLimit), toItem(to), rlpUint(value), data]
}

function typedFields(transaction: UnsignedTransaction): RlpItem[] {
  const { type, chainId, nonce, maxFeePerGas, maxPriorityFeePerGas = 0n, gasLimit, to } = transaction
  const { value = 0n, data = none, accessList = [], authorizations = [] } = transaction
  const fields: RlpItem[] = [rlpUint(chainId), rlpUint(nonce)]
  if (type !== 1) fields.push(rlpUint(maxPriorityFeePerGas))
  fields.push(rlpUint(maxFeePerGas), rlpUint(gasLimit), toItem(to), rlpUint(value), data)
  fields.push(accessList.map(({ address, storageKeys }) => [rlpHex(address), storageKeys.map(rlpHex)]))
  if (type === 4) fields.push(authorizations.map(signAuthorization))
  return fields
}

function signAuthorization({ chainId, address, nonce, authorityKey }: UnsignedAuthorization): RlpItem {
  const message = [rlpUint(chainId), rlpHex(address), rlpUint(nonce)]
  const { rs, recovery } = signDigest(keccak256(concatBytes(Uint8Array.of(5), encodeRlp(message))), authorityKey)
  return [...message, rlpUint(recovery), ...signatureItems(rs)]
}

const none = new Uint8Array(0)
const toItem = (to: Address | null): Uint8Array => (to === null ? none : rlpHex(to))
const signatureItems = (rs: Uint8Array): RlpItem[] => [
  rlpUint(bytesToUint(rs.subarray(0, 32))),
  rlpUint(bytesToUint(rs.subarray(32, 64))),
]
