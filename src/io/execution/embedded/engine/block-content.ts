import { type Block, transactionsRootOf, withdrawalsRootOf } from '../../../../base/protocol/block.js'
import { contextHash } from '../../../../base/protocol/block-context.js'
import { type BlockHeader, headerHash } from '../../../../base/protocol/block-header.js'
import { nextBaseFee } from './base-fee.js'

/** Why Ethereum does not let this gas limit follow the parent's, or null (yellow paper, 4.3.4); which of those it lets is for the block rules. */
export function gasLimitProblem(gasLimit: number, parentGasLimit: number): string | null {
  if (gasLimit === parentGasLimit) return null
  const bound = Math.floor(parentGasLimit / 1_024)
  if (gasLimit >= 5_000 && Math.abs(gasLimit - parentGasLimit) < bound) return null
  return `gas limit ${gasLimit} must be at least 5000 and less than ${bound} from the parent's ${parentGasLimit}`
}

/** What of a block can be judged before it runs; null when all is well, else the reason. */
export function checkBlockContent(block: Block, parent: BlockHeader): string | null {
  const { header, hash, context, transactions, withdrawals } = block
  const differs = (name: string, found: unknown, expected: unknown): string | null =>
    found === expected ? null : `${name} mismatch: header ${found}, computed ${expected}`
  return (
    differs('block hash', hash, headerHash(header)) ??
    differs('number', header.number, parent.number + 1) ??
    gasLimitProblem(header.gasLimit, parent.gasLimit) ??
    differs('base fee', header.baseFeePerGas, nextBaseFee(parent)) ??
    (header.timestamp < parent.timestamp
      ? `timestamp ${header.timestamp} is before the parent's ${parent.timestamp}`
      : null) ??
    (header.gasUsed > header.gasLimit ? `gas used ${header.gasUsed} is above the limit ${header.gasLimit}` : null) ??
    differs('context hash', header.parentBeaconBlockRoot, contextHash(context)) ??
    differs('transactions root', header.transactionsRoot, transactionsRootOf(transactions)) ??
    differs('withdrawals root', header.withdrawalsRoot, withdrawalsRootOf(withdrawals))
  )
}

/** What differs between a header and the execution of its block; null when nothing does. */
export function compareOutcome(header: BlockHeader, computed: BlockHeader): string | null {
  const fields = [
    ['gas used', header.gasUsed, computed.gasUsed],
    ['receipts root', header.receiptsRoot, computed.receiptsRoot],
    ['logs bloom', header.logsBloom, computed.logsBloom],
    ['requests hash', header.requestsHash, computed.requestsHash],
    ['state root', header.stateRoot, computed.stateRoot],
  ] as const
  for (const [name, found, expected] of fields)
    if (found !== expected) return `${name} mismatch: header ${found}, computed ${expected}`
  return null
}
