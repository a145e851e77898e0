import { keccak256Hex } from '../../../../base/crypto/keccak.js'
import { DecodeError } from '../../../../base/encoding/decode-error.js'
import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { Address, TransactionHash } from '../../../../base/primitives/hashes.js'
import { type Block, transactionsRootOf, withdrawalsRootOf } from '../../../../base/protocol/block.js'
import { contextHash } from '../../../../base/protocol/block-context.js'
import { type BlockHeader, headerHash } from '../../../../base/protocol/block-header.js'
import { decodeTransaction, recoverSender, type Transaction } from '../../../../base/protocol/transaction.js'
import type { BlockAttributes, SkippedTransaction } from '../../execution-client.js'
import { ExecutionError } from '../../execution-error.js'
import type { ExecutedBlock } from '../store/chain-store.js'
import { nextBaseFee } from './base-fee.js'
import { gasLimitProblem } from './block-content.js'
import { type BlockOutcome, BlockRun } from './block-run.js'
import type { Refusal } from './check-transaction.js'
import type { EvmMachine } from './evm-environment.js'
import type { ParentBlock } from './parent-block.js'

/** Transactions without room that are tried before the block counts as full. */
const maxWithoutRoom = 64
/** Less gas than any transaction needs. */
const leastGas = 21_000

/** Executes the candidates that fit on the parent, and finishes the block. @throws ExecutionError TRANSACTION_REFUSED, INVALID_ATTRIBUTES */
export async function buildBlock({
  machine,
  parent,
  attributes,
}: {
  readonly machine: EvmMachine
  readonly parent: ParentBlock
  readonly attributes: BlockAttributes
}): Promise<{ readonly executed: ExecutedBlock; readonly skipped: readonly SkippedTransaction[] }> {
  checkAttributes(attributes, parent)
  const baseFeePerGas = nextBaseFee(parent.header)
  const { height, timestamp, feeRecipient, prevRandao, gasLimit, context, withdrawals } = attributes
  const run = await BlockRun.open({
    machine,
    environment: {
      number: height,
      timestamp,
      feeRecipient,
      prevRandao,
      gasLimit,
      baseFeePerGas,
      blockHash: parent.hashAt,
    },
    base: parent.state,
    context: contextHash(context),
    parentHash: parent.hash,
  })
  const { timeLimitMs: totalMs } = attributes
  run.limitTime({ totalMs, eachMs: totalMs && totalMs / 2 })
  const { included, hashes, skipped } = await executeCandidates(run, attributes)
  const outcome = await run.finish(withdrawals)
  if ('detail' in outcome)
    throw new ExecutionError('INVALID_ATTRIBUTES', `a system call to ${outcome.address} failed: ${outcome.detail}`)
  const header: BlockHeader = {
    parentHash: parent.hash,
    feeRecipient,
    stateRoot: bytesToHex(outcome.state.root),
    transactionsRoot: transactionsRootOf(included),
    receiptsRoot: outcome.receiptsRoot,
    logsBloom: bytesToHex(outcome.logsBloom),
    number: height,
    gasLimit,
    gasUsed: outcome.gasUsed,
    timestamp,
    prevRandao,
    baseFeePerGas,
    withdrawalsRoot: withdrawalsRootOf(withdrawals),
    parentBeaconBlockRoot: contextHash(context),
    requestsHash: outcome.requestsHash,
  }
  const block: Block = { hash: headerHash(header), header, context, transactions: included, withdrawals }
  return { executed: executedBlock(block, hashes, outcome), skipped }
}

/** The block with what its execution gave. */
export function executedBlock(
  block: Block,
  transactionHashes: readonly TransactionHash[],
  { receipts, state }: BlockOutcome,
): ExecutedBlock {
  return { block, receipts, transactionHashes, state }
}

function checkAttributes({ height, timestamp, gasLimit }: BlockAttributes, { header }: ParentBlock): void {
  const problem =
    height !== header.number + 1
      ? `height ${height} does not follow the parent's ${header.number}`
      : timestamp < header.timestamp
        ? `timestamp ${timestamp} is before the parent's ${header.timestamp}`
        : gasLimitProblem(gasLimit, header.gasLimit)
  if (problem !== null) throw new ExecutionError('INVALID_ATTRIBUTES', problem)
}

async function executeCandidates(
  run: BlockRun,
  { transactions, senders = [], onInvalidTransaction }: BlockAttributes,
): Promise<{
  readonly included: readonly Uint8Array[]
  readonly hashes: readonly TransactionHash[]
  readonly skipped: readonly SkippedTransaction[]
}> {
  const included: Uint8Array[] = []
  const hashes: TransactionHash[] = []
  const skipped: SkippedTransaction[] = []
  /** Whose earlier transaction had no room: the later ones wait for it. */
  const waiting = new Set<Address>()
  let withoutRoom = 0
  for (const [index, raw] of transactions.entries()) {
    const full = run.gasLeft < leastGas || withoutRoom >= maxWithoutRoom || run.isTimeOver
    const tried = full ? noRoom(raw) : await tryCandidate({ run, raw, sender: senders[index] ?? null, waiting })
    if (tried.refusal === null) {
      included.push(raw)
      hashes.push(tried.hash)
      continue
    }
    const { reason, detail } = tried.refusal
    if (onInvalidTransaction === 'fail')
      throw new ExecutionError('TRANSACTION_REFUSED', `transaction ${index} cannot execute: ${detail}`, {
        index,
        reason,
        detail,
      })
    if (reason === 'no-room') withoutRoom++
    skipped.push({ hash: tried.hash, reason, detail })
  }
  return { included, hashes, skipped }
}

function noRoom(raw: Uint8Array): { readonly hash: TransactionHash; readonly refusal: Refusal } {
  return { hash: keccak256Hex(raw), refusal: { reason: 'no-room', detail: 'the block is full' } }
}

async function tryCandidate({
  run,
  raw,
  sender: hint,
  waiting,
}: {
  run: BlockRun
  raw: Uint8Array
  sender: Address | null
  waiting: Set<Address>
}): Promise<{ readonly hash: TransactionHash; readonly refusal: Refusal | null }> {
  const read = readTransaction(raw, hint)
  if ('refusal' in read) return { hash: keccak256Hex(raw), refusal: read.refusal }
  const { transaction, sender } = read
  const { hash } = transaction
  const refusal = await run.execute(transaction, sender)
  if (refusal === null) return { hash, refusal }
  if (refusal.reason === 'nonce-too-high' && waiting.has(sender))
    return { hash, refusal: { reason: 'no-room', detail: 'an earlier transaction of the sender had no room' } }
  if (refusal.reason === 'no-room') waiting.add(sender)
  return { hash, refusal }
}

/** Decodes a transaction and finds its sender, unless this node knows it already. */
export function readTransaction(
  raw: Uint8Array,
  hint: Address | null,
): { readonly transaction: Transaction; readonly sender: Address } | { readonly refusal: Refusal } {
  try {
    const transaction = decodeTransaction(raw)
    const sender = hint ?? recoverSender(transaction)
    if (sender === null) return { refusal: { reason: 'invalid', detail: 'invalid signature' } }
    return { transaction, sender }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { refusal: { reason: 'invalid', detail: error.message } }
  }
}
