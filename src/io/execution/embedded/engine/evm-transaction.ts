import type { Common } from '@ethereumjs/common'
import {
  createAccessList2930Tx,
  createEOACode7702Tx,
  createFeeMarket1559Tx,
  createLegacyTx,
  type TypedTransaction,
} from '@ethereumjs/tx'
import { Address as EvmAddress } from '@ethereumjs/util'
import { rlpUint } from '../../../../base/encoding/rlp-fields.js'
import { hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import type { Transaction } from '../../../../base/protocol/transaction.js'

/** The transaction as the EVM library knows it, with its sender, which is not recovered again. */
export function toEvmTransaction(transaction: Transaction, sender: Address, common: Common): TypedTransaction {
  const evmTransaction = create(transaction, common)
  const address = new EvmAddress(hexToBytes(sender))
  evmTransaction.getSenderAddress = () => address
  return evmTransaction
}

function create(transaction: Transaction, common: Common): TypedTransaction {
  const options = { common, freeze: false }
  const { nonce, gasLimit, value, data, rs, v, maxFeePerGas, maxPriorityFeePerGas } = transaction
  const to = transaction.to === null ? undefined : hexToBytes(transaction.to)
  const shared = { nonce, gasLimit, value, data, v, r: rs.subarray(0, 32), s: rs.subarray(32, 64), ...(to && { to }) }
  if (transaction.type === 0) return createLegacyTx({ ...shared, gasPrice: maxFeePerGas }, options)
  const chainId = common.chainId()
  const accessList = transaction.accessList.map(({ address, storageKeys }): [Uint8Array, Uint8Array[]] => [
    hexToBytes(address),
    storageKeys.map(hexToBytes),
  ])
  if (transaction.type === 1)
    return createAccessList2930Tx({ ...shared, chainId, accessList, gasPrice: maxFeePerGas }, options)
  const fees = { chainId, accessList, maxFeePerGas, maxPriorityFeePerGas }
  if (transaction.type === 2) return createFeeMarket1559Tx({ ...shared, ...fees }, options)
  const authorizationList = transaction.authorizations.map(
    (entry): [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array] => [
      rlpUint(entry.chainId),
      hexToBytes(entry.address),
      rlpUint(entry.nonce),
      rlpUint(entry.yParity),
      rlpUint(entry.r),
      rlpUint(entry.s),
    ],
  )
  return createEOACode7702Tx({ ...shared, ...fees, authorizationList }, options)
}
