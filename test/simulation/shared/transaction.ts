import type { Address } from '../../../src/base/primitives/hashes.js'
import * as real from '../../../src/base/protocol/transaction.js'
import { rememberWith } from './remember.js'

export * from '../../../src/base/protocol/transaction.js'

export const decodeTransaction = rememberWith(real.decodeTransaction)

/** Most senders that are remembered. */
const maxKnown = 8_192
/** By the hash, which covers the signature. */
const senders = new Map<string, Address | null>()

export function recoverSender(transaction: real.Transaction): Address | null {
  const { hash } = transaction
  let sender = senders.get(hash)
  if (sender === undefined) {
    if (senders.size >= maxKnown) senders.clear()
    sender = real.recoverSender(transaction)
    senders.set(hash, sender)
  }
  return sender
}
