import { DecodeError } from '../../base/encoding/decode-error.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields, rlpUint } from '../../base/encoding/rlp-fields.js'

/** Most bytes of a gossip message. */
export const maxBatchBytes = 256 * 1024
/** Most transactions of a gossip message: none is shorter than its signature. */
const maxBatchTransactions = 4096
/** Room for the headers of the outer lists and the flag. */
const envelopeBytes = 16
/** Longest RLP header of one transaction in a batch. */
const headerBytes = 4

/** Transactions on their way between nodes; `relay` asks a sequencer to pass them on to the other sequencers. */
export interface TransactionBatch {
  readonly relay: boolean
  readonly transactions: readonly Uint8Array[]
}

/** RLP: [relay, [transaction, …]], each transaction as a byte string in its EIP-2718 encoding. */
export function encodeTransactionBatch({ relay, transactions }: TransactionBatch): Uint8Array {
  return encodeRlp([rlpUint(relay ? 1 : 0), transactions])
}

/** Transactions are views into the message. @throws DecodeError */
export function decodeTransactionBatch(message: Uint8Array): TransactionBatch {
  if (message.length > maxBatchBytes)
    throw new DecodeError('transaction batch: above 256 KiB', { length: message.length })
  const fields = RlpFields.decode(message, 'transaction batch')
  const relay = fields.uint(8)
  if (relay > 1n) throw new DecodeError('transaction batch: the relay flag is neither 0 nor 1')
  const transactions = fields.items({ max: maxBatchTransactions }).map(item => {
    if (!(item instanceof Uint8Array) || item.length === 0)
      throw new DecodeError('transaction batch: a transaction is not bytes')
    return item
  })
  fields.end()
  return { relay: relay === 1n, transactions }
}

/** Splits transactions into runs that each fit one message. */
export function splitIntoBatches(transactions: readonly Uint8Array[]): Uint8Array[][] {
  const batches: Uint8Array[][] = []
  let room = 0
  for (const raw of transactions) {
    room -= raw.length + headerBytes
    if (room < 0 || batches.length === 0 || batches.at(-1)!.length === maxBatchTransactions) {
      batches.push([])
      room = maxBatchBytes - envelopeBytes - raw.length - headerBytes
    }
    batches.at(-1)!.push(raw)
  }
  return batches
}
