import { decodeRlp, encodeRlp, type RlpItem, splitRlpList } from '../../../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../../../base/encoding/rlp-fields.js'
import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { StoredLog, StoredOutcome, StoredReceipt } from '../reading.js'

/** The receipts of one block as one value of the store. */
export function encodeReceipts(receipts: readonly StoredReceipt[]): Uint8Array {
  return encodeRlp(receipts.map(receiptToRlp))
}

/** @throws DecodeError */
export function decodeReceipts(bytes: Uint8Array): readonly StoredReceipt[] {
  const item = decodeRlp(bytes)
  return item instanceof Uint8Array ? [] : item.map(receiptFromRlp)
}

/** The receipts without their logs. @throws DecodeError */
export function decodeOutcomes(bytes: Uint8Array): readonly StoredOutcome[] {
  return splitRlpList(bytes).map(receipt =>
    outcomeFrom(
      RlpFields.of(
        splitRlpList(receipt)
          .slice(0, logsField)
          .map(field => decodeRlp(field)),
        'stored receipt',
      ),
    ),
  )
}

/** The receipt at this place, and how many logs come before its own; null when there are fewer receipts. @throws DecodeError */
export function decodeReceiptAt(
  bytes: Uint8Array,
  index: number,
): { readonly receipt: StoredReceipt; readonly firstLogIndex: number } | null {
  const receipts = splitRlpList(bytes)
  const encoded = receipts[index]
  if (encoded === undefined) return null
  let firstLogIndex = 0
  for (const before of receipts.slice(0, index)) firstLogIndex += splitRlpList(splitRlpList(before)[logsField]!).length
  return { receipt: receiptFromRlp(decodeRlp(encoded)), firstLogIndex }
}

/** Where a receipt has its logs: after everything else. */
const logsField = 6

function receiptToRlp(receipt: StoredReceipt): RlpItem {
  return [
    rlpHex(receipt.sender),
    rlpUint(receipt.succeeded ? 1 : 0),
    rlpUint(receipt.gasUsed),
    rlpUint(receipt.cumulativeGasUsed),
    rlpUint(receipt.effectiveGasPrice),
    receipt.contractAddress === null ? new Uint8Array(0) : rlpHex(receipt.contractAddress),
    receipt.logs.map(logToRlp),
  ]
}

/** A log as receipts carry it, here and under the receipts root. */
export function logToRlp(log: StoredLog): RlpItem {
  return [rlpHex(log.address), log.topics.map(rlpHex), log.data]
}

function receiptFromRlp(item: RlpItem): StoredReceipt {
  const fields = RlpFields.of(item, 'stored receipt')
  const outcome = outcomeFrom(fields)
  const logs = fields.items().map(logFromRlp)
  fields.end()
  return { ...outcome, logs }
}

function outcomeFrom(fields: RlpFields): StoredOutcome {
  const sender = fields.address()
  const succeeded = fields.uint(8) === 1n
  const gasUsed = fields.safeUint()
  const cumulativeGasUsed = fields.safeUint()
  const effectiveGasPrice = fields.uint(256)
  const contract = fields.bytes({ max: 20 })
  const contractAddress = contract.length === 0 ? null : bytesToHex(contract)
  return { sender, succeeded, gasUsed, cumulativeGasUsed, effectiveGasPrice, contractAddress }
}

function logFromRlp(item: RlpItem): StoredLog {
  const fields = RlpFields.of(item, 'stored log')
  const address = fields.address()
  const topics = fields.items({ max: 4 }).map(topic => bytesToHex(topic as Uint8Array))
  const data = fields.bytes()
  fields.end()
  return { address, topics, data }
}
