import type { Address } from '../../base/primitives/hashes.js'
import type { Wei } from '../../base/primitives/quantities.js'
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
const leastTransactionGas = 21_000

interface Cursor {
  readonly account: PoolAccount
  index: number
  transaction: PooledTransaction
  tip: number
}

/** Best effective tip first, nonce order within an account, ties by arrival: O(accounts + chosen × log accounts). */
export function selectTransactions(accounts: Iterable<PoolAccount>, limits: SelectionLimits): Selection {
  const baseFee = Number(limits.baseFee)
  const heap: Cursor[] = []
  for (const account of accounts) {
    const transaction = account.pending[0]!
    const tip = transaction.effectiveTip(baseFee)
    if (tip >= 0) heap.push({ account, index: 0, transaction, tip })
  }
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(heap, at)
  const transactions: Uint8Array[] = []
  const senders: Address[] = []
  let { maxGas: gas, maxBytes: bytes } = limits
  for (let misfits = 0; heap.length > 0 && gas >= leastTransactionGas && misfits < maxMisfits; ) {
    const cursor = heap[0]!
    const { transaction, account } = cursor
    if (transaction.gasLimit > gas || transaction.raw.length > bytes) {
      misfits++
      removeTop(heap)
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
      removeTop(heap)
      continue
    }
    cursor.transaction = next
    cursor.tip = tip
    siftDown(heap, 0)
  }
  return { transactions, senders }
}

function isBefore(a: Cursor, b: Cursor): boolean {
  return a.tip > b.tip || (a.tip === b.tip && a.transaction.arrival < b.transaction.arrival)
}

function removeTop(heap: Cursor[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  heap[0] = last
  siftDown(heap, 0)
}

function siftDown(heap: Cursor[], from: number): void {
  const moving = heap[from]!
  let at = from
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(heap[child]!, moving)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = moving
}
