import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { Address, TransactionHash } from '../../../../base/primitives/hashes.js'
import type { Block } from '../../../../base/protocol/block.js'
import type { StateDiff } from '../state/state-diff.js'
import type { ExecutedBlock } from '../store/chain-store.js'
import { checkBlockContent, compareOutcome } from './block-content.js'
import { BlockRun } from './block-run.js'
import { executedBlock, readTransaction } from './build-block.js'
import type { EvmMachine } from './evm-environment.js'
import type { ParentBlock } from './parent-block.js'

/** Why a block is invalid, and the state that it gave if it ran to its end. */
export interface RefusedBlock {
  readonly reason: string
  /** It was not executed to its end in the time that it had: that says nothing of the block. */
  readonly isTimedOut?: boolean
  readonly state: StateDiff | null
}

/**
 * Executes a block that somebody else built, and compares everything that its header claims. A block that ran to its end
 * and differs comes with the state that it gave.
 */
export async function importBlock({
  machine,
  limitMs,
  parent,
  block,
  senders,
  interrupt,
}: {
  readonly machine: EvmMachine
  /** How long the transactions may take together; for ever unless told. */
  readonly limitMs?: number | undefined
  readonly parent: ParentBlock
  readonly block: Block
  readonly senders: readonly (Address | null)[]
  /** Called before each transaction; it may throw to end the execution. */
  readonly interrupt?: (() => void) | undefined
}): Promise<{ readonly executed: ExecutedBlock } | RefusedBlock> {
  const { header, transactions, withdrawals } = block
  const problem = checkBlockContent(block, parent.header)
  if (problem !== null) return refused(problem)
  const run = await BlockRun.open({
    machine,
    environment: { ...header, blockHash: parent.hashAt },
    base: parent.state,
    context: header.parentBeaconBlockRoot,
    parentHash: parent.hash,
  })
  run.limitTime({ totalMs: limitMs })
  const hashes: TransactionHash[] = []
  for (const [index, raw] of transactions.entries()) {
    interrupt?.()
    const read = readTransaction(raw, senders[index] ?? null)
    if ('refusal' in read) return refused(`transaction ${index}: ${read.refusal.detail}`)
    const refusal = await run.execute(read.transaction, read.sender)
    if (run.isTimeOver) return { ...refused('its time was over'), isTimedOut: true }
    if (refusal !== null) return refused(`transaction ${index}: ${refusal.detail}`)
    hashes.push(read.transaction.hash)
  }
  const outcome = await run.finish(withdrawals)
  if ('detail' in outcome) return refused(`a system call to ${outcome.address} failed: ${outcome.detail}`)
  const computed = {
    ...header,
    gasUsed: outcome.gasUsed,
    receiptsRoot: outcome.receiptsRoot,
    logsBloom: bytesToHex(outcome.logsBloom),
    requestsHash: outcome.requestsHash,
    stateRoot: bytesToHex(outcome.state.root),
  }
  const difference = compareOutcome(header, computed)
  if (difference !== null) return { reason: difference, state: outcome.state }
  return { executed: executedBlock(block, hashes, outcome) }
}

/** A block that did not run to its end. */
const refused = (reason: string): RefusedBlock => ({ reason, state: null })
