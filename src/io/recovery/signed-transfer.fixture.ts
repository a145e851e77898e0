import { keccak256 } from '../../base/crypto/keccak.js'
import { addressOfPrivateKey, signDigest } from '../../base/crypto/secp256k1.js'
import { encodeRlp, type RlpItem } from '../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'

/** The private key with this number. */
export const keyOf = (account: number): Uint8Array => keccak256(uintToBytes(account + 1, 32))
export const addressOf = (account: number): Address => addressOfPrivateKey(keyOf(account))

export interface TransferFields {
  readonly account: number
  readonly nonce: number
  readonly chainId?: bigint
  readonly fee?: bigint
  readonly tip?: bigint
  readonly gasLimit?: number
  readonly value?: bigint
  readonly to?: Address
  readonly data?: Uint8Array
}

/** A signed EIP-1559 transfer. */
export function signedTransfer(fields: TransferFields): Uint8Array {
  const { account, nonce, chainId = 7n, fee = 100n, tip = 10n, gasLimit = 21_000, value = 1n } = fields
  const { to = `0x${'ab'.repeat(20)}` as const, data = new Uint8Array(0) } = fields
  const unsigned: RlpItem[] = [
    rlpUint(chainId),
    rlpUint(nonce),
    rlpUint(tip),
    rlpUint(fee),
    rlpUint(gasLimit),
    rlpHex(to),
    rlpUint(value),
    data,
    [],
  ]
  const digest = keccak256(concatBytes(Uint8Array.of(2), encodeRlp(unsigned)))
  const { rs, recovery } = signDigest(digest, keyOf(account))
  const trimmed = (bytes: Uint8Array) => bytes.subarray(bytes.findIndex(byte => byte !== 0))
  const signed = [...unsigned, rlpUint(recovery), trimmed(rs.subarray(0, 32)), trimmed(rs.subarray(32))]
  return concatBytes(Uint8Array.of(2), encodeRlp(signed))
}
