import { decodeTransaction } from '../../base/protocol/transaction.js'
import { transactionToJson } from '../../io/execution/embedded/queries/transaction-json.js'
import type { PooledTransaction } from './rpc-ports.js'

/** A waiting transaction in the form of eth_getTransactionByHash. */
export function pooledToJson({ raw, sender }: PooledTransaction): Record<string, unknown> {
  return transactionToJson({ transaction: decodeTransaction(raw), sender, place: null })
}
