import { DecodeError } from '../../base/encoding/decode-error.js'
import {
  decodeTransaction,
  recoverSender,
  type Transaction,
  UnsupportedTransactionError,
} from '../../base/protocol/transaction.js'
import { OutcomeWriter, type PackedOutcomes } from './packed-outcomes.js'
import type { RecoveryRefusal } from './sender-recovery.js'

/** Decodes each transaction and recovers its sender: the work itself, the same on every thread. */
export function recoverBatch(transactions: readonly Uint8Array[]): PackedOutcomes {
  const writer = new OutcomeWriter(transactions.length)
  for (let i = 0; i < transactions.length; i++) {
    const decoded = decode(transactions[i]!)
    if ('refusal' in decoded) {
      writer.refuse(i, decoded)
      continue
    }
    const sender = recoverSender(decoded)
    if (sender === null) writer.refuse(i, invalidSignature)
    else writer.accept(i, decoded, sender)
  }
  return writer.finish()
}

const invalidSignature: RecoveryRefusal = {
  refusal: 'invalid-signature',
  message: 'invalid sender: invalid transaction v, r, s values',
}

function decode(raw: Uint8Array): Transaction | RecoveryRefusal {
  try {
    return decodeTransaction(raw)
  } catch (error) {
    if (error instanceof UnsupportedTransactionError) return { refusal: 'type-not-supported', message: error.message }
    if (error instanceof DecodeError)
      return { refusal: 'malformed', message: error.message.replace(/^transaction: /, '') }
    throw error
  }
}
