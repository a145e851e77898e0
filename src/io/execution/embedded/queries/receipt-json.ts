import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { BlockHash, TransactionHash } from '../../../../base/primitives/hashes.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { Transaction } from '../../../../base/protocol/transaction.js'
import type { StoredLog, StoredReceipt } from '../reading.js'
import { toQuantity } from './hex-arguments.js'
import { logsBloom } from './log-bloom.js'

/** A log as eth_getLogs gives it. */
export interface LogJson {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
  readonly blockNumber: string
  readonly transactionHash: string
  readonly transactionIndex: string
  readonly blockHash: string
  readonly blockTimestamp: string
  readonly logIndex: string
  readonly removed: boolean
}

/** Where a log stands; `logIndex` counts within the block. */
export interface LogPlace {
  readonly header: BlockHeader
  readonly blockHash: BlockHash
  readonly transactionHash: TransactionHash
  readonly transactionIndex: number
  readonly logIndex: number
}

/** A log in the form of eth_getLogs. */
export function logToJson(log: StoredLog, place: LogPlace): LogJson {
  return {
    address: log.address,
    topics: log.topics,
    data: bytesToHex(log.data),
    blockNumber: toQuantity(place.header.number),
    transactionHash: place.transactionHash,
    transactionIndex: toQuantity(place.transactionIndex),
    blockHash: place.blockHash,
    blockTimestamp: toQuantity(place.header.timestamp),
    logIndex: toQuantity(place.logIndex),
    removed: false,
  }
}

/** A receipt in the form of eth_getTransactionReceipt; `firstLogIndex` is the index of its first log in the block. */
export function receiptToJson({
  receipt,
  transaction,
  header,
  blockHash,
  index,
  firstLogIndex,
}: {
  receipt: StoredReceipt
  transaction: Transaction
  header: BlockHeader
  blockHash: BlockHash
  index: number
  firstLogIndex: number
}): Record<string, unknown> {
  const place = { header, blockHash, transactionHash: transaction.hash, transactionIndex: index }
  return {
    blockHash,
    blockNumber: toQuantity(header.number),
    contractAddress: receipt.contractAddress,
    cumulativeGasUsed: toQuantity(receipt.cumulativeGasUsed),
    effectiveGasPrice: toQuantity(receipt.effectiveGasPrice),
    from: receipt.sender,
    gasUsed: toQuantity(receipt.gasUsed),
    logs: receipt.logs.map((log, offset) => logToJson(log, { ...place, logIndex: firstLogIndex + offset })),
    logsBloom: logsBloom(receipt.logs),
    status: receipt.succeeded ? '0x1' : '0x0',
    to: transaction.to,
    transactionHash: transaction.hash,
    transactionIndex: toQuantity(index),
    type: toQuantity(transaction.type),
  }
}
