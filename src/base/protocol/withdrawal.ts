import type { RlpItem } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import type { Address } from '../primitives/hashes.js'
import type { Gwei } from '../primitives/quantities.js'

/** A credit of ETH without a transaction (EIP-4895): a deposit from L1, or recycled base fee. */
export interface Withdrawal {
  /** Counts every withdrawal of the chain from 0. */
  readonly index: number
  /** 0 for a deposit, 1 for recycled base fee (the field has no other use on this chain). */
  readonly validatorIndex: number
  readonly address: Address
  readonly amount: Gwei
}

export function withdrawalToRlp(withdrawal: Withdrawal): RlpItem {
  return [
    rlpUint(withdrawal.index),
    rlpUint(withdrawal.validatorIndex),
    rlpHex(withdrawal.address),
    rlpUint(withdrawal.amount),
  ]
}

/** @throws DecodeError */
export function withdrawalFromRlp(item: RlpItem): Withdrawal {
  const fields = RlpFields.of(item, 'withdrawal')
  const withdrawal: Withdrawal = {
    index: fields.safeUint(),
    validatorIndex: fields.safeUint(),
    address: fields.address(),
    amount: fields.uint(64),
  }
  fields.end()
  return withdrawal
}
