import { bytesToHex, type Hex } from '../../../../base/primitives/bytes.js'
import type { Address, BlockHash } from '../../../../base/primitives/hashes.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { Transaction } from '../../../../base/protocol/transaction.js'
import { bytesToQuantity, toQuantity } from './hex-arguments.js'

/** Where a transaction stands in the chain, and what it paid there. */
export interface TransactionPlace {
  readonly blockHash: BlockHash
  readonly header: BlockHeader
  readonly index: number
}

/** A transaction in the form of eth_getTransactionByHash; `place` is null while it waits in the pool. */
export function transactionToJson({
  transaction,
  sender,
  place,
}: {
  transaction: Transaction
  sender: Address
  place: TransactionPlace | null
}): Record<string, unknown> {
  const { type, recovery, rs } = transaction
  const json: Record<string, unknown> = {
    blockHash: place?.blockHash ?? null,
    blockNumber: place ? toQuantity(place.header.number) : null,
    blockTimestamp: place ? toQuantity(place.header.timestamp) : null,
    from: sender,
    gas: toQuantity(transaction.gasLimit),
    gasPrice: toQuantity(gasPrice(transaction, place)),
    hash: transaction.hash,
    input: bytesToHex(transaction.data),
    nonce: toQuantity(transaction.nonce),
    to: transaction.to,
    transactionIndex: place ? toQuantity(place.index) : null,
    value: toQuantity(transaction.value),
    type: toQuantity(type),
  }
  if (transaction.chainId !== null) json.chainId = toQuantity(transaction.chainId)
  if (type !== 0) json.accessList = transaction.accessList
  if (type === 2 || type === 4) {
    json.maxFeePerGas = toQuantity(transaction.maxFeePerGas)
    json.maxPriorityFeePerGas = toQuantity(transaction.maxPriorityFeePerGas)
  }
  if (type === 4) json.authorizationList = transaction.authorizations.map(authorizationToJson)
  json.v = toQuantity(transaction.v)
  json.r = bytesToQuantity(rs.subarray(0, 32))
  json.s = bytesToQuantity(rs.subarray(32))
  if (type !== 0) json.yParity = toQuantity(recovery)
  return json
}

function authorizationToJson(authorization: Transaction['authorizations'][number]): Record<string, Hex> {
  return {
    chainId: toQuantity(authorization.chainId),
    address: authorization.address,
    nonce: toQuantity(authorization.nonce),
    yParity: toQuantity(authorization.yParity),
    r: toQuantity(authorization.r),
    s: toQuantity(authorization.s),
  }
}

// A mined transaction shows what it paid, a waiting one the most that it would pay.
function gasPrice({ maxFeePerGas, maxPriorityFeePerGas }: Transaction, place: TransactionPlace | null): bigint {
  if (!place) return maxFeePerGas
  const price = place.header.baseFeePerGas + maxPriorityFeePerGas
  return price < maxFeePerGas ? price : maxFeePerGas
}
