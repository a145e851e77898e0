import type { PoolAccount } from './pool-account.js'
import type { DropReason, PooledTransaction, PoolPlace } from './pooled-transaction.js'

/** Where a transaction stands, and a sentence that says what it waits for or why it is gone. */
export interface TransactionFate {
  readonly place: Exclude<PoolPlace, 'included'>
  readonly sentence: string
}

/** Why a transaction left the pool. */
export const dropSentences: Readonly<Record<DropReason, string>> = {
  replaced: 'Another transaction with its nonce took its place.',
  outbid: 'The pool was full, and others are worth more to a block.',
  unaffordable: 'The balance of its account no longer covers it.',
  invalid: 'The build of a block found that it cannot be executed.',
  slow: 'Its execution takes longer than a block may take here.',
  expired: 'It waited too long for an earlier nonce.',
}

/** What a transaction of this account waits for. */
export function waitSentence(account: PoolAccount, transaction: PooledTransaction, baseFee: number): string {
  const { nextNonce, pending, queued } = account
  if (transaction.place === 'queued')
    return queued.has(nextNonce)
      ? 'It waits for earlier ones of its account to be in blocks.'
      : `It waits for a transaction with nonce ${nextNonce}.`
  const blocking = pending.find(({ fee, nonce }) => fee < baseFee && nonce <= transaction.nonce)
  if (blocking === undefined) return 'It can go into the next block.'
  const who = blocking === transaction ? 'its fee cap' : `nonce ${blocking.nonce} comes first, and its fee cap`
  return `It waits for the base fee to fall: ${who} of ${blocking.maxFeePerGas} wei is below ${baseFee}.`
}
