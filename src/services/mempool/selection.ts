import type { Address } from '../../base/primitives/hashes.js'
import { Heap } from '../../base/primitives/heap.js'
import type { Wei } from '../../base/primitives/quantities.js'
import { leastTransactionGas } from '../../base/protocol/transaction.js'
import type { PoolAccount } from './pool-account.js'
import type { PooledTransaction } from './pooled-transaction.js'

/** What a block has room for. */
export interface SelectionLimits {
  readonly baseFee: Wei
  /** Sum of the gas limits of the chosen transactions. */
  readonly maxGas: number
  /** Sum of their encoded bytes. */
  readonly maxBytes: number
}

/** Candidates for a block and, aligned, their senders. */
export interface Selection {
  readonly transactions: Uint8Array[]
  readonly senders: Address[]
}

/** After so many candidates in a row that do not fit, the block counts as full. */
const maxMisfits = 64

interface Cursor {
  readonly account: PoolAccount
  index: number
  transaction: PooledTransaction
  tip: number
}

/**
 * Best effective tip first, nonce order within an account, ties by arrival; whose transactions took too long comes after all others, for
 * that costs the others time and itself nothing. O(accounts + chosen × log accounts).
 */
export function selectTransactions(accounts: Iterable<PoolAccount>, limits: SelectionLimits): Selection {
  const baseFee = Number(limits.baseFee)
  const cursors: Cursor[] = []
  for (const account of accounts) {
    const transaction = account.pending[0]!
    const tip = transaction.effectiveTip(baseFee)
    if (tip >= 0) cursors.push({ account, index: 0, transaction, tip })
  }
  const heap = Heap.of(cursors, isBefore)
  const transactions: Uint8Array[] = []
  const senders: Address[] = []
  let { maxGas: gas, maxBytes: bytes } = limits
  for (let misfits = 0; heap.size > 0 && gas >= leastTransactionGas && misfits < maxMisfits; ) {
    const cursor = heap.top!
    const { transaction, account } = cursor
    if (transaction.gasLimit > gas || transaction.raw.length > bytes) {
      misfits++
      heap.pop()
      continue
    }
    misfits = 0
    gas -= transaction.gasLimit
    bytes -= transaction.raw.length
    transactions.push(transaction.raw)
    senders.push(account.address)
    const next = account.pending[++cursor.index]
    const tip = next?.effectiveTip(baseFee) ?? -1
    if (next === undefined || tip < 0) {
      heap.pop()
      continue
    }
    cursor.transaction = next
    cursor.tip = tip
    heap.topChanged()
  }
  return { transactions, senders }
}

function isBefore(a: Cursor, b: Cursor): boolean {
  if (a.account.isSlow !== b.account.isSlow) return b.account.isSlow
  return a.tip > b.tip || (a.tip === b.tip && a.transaction.arrival < b.transaction.arrival)
}
