import type { Round } from '../../base/primitives/quantities.js'
import type { Block, BodyLimits } from '../../base/protocol/block.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import { leastTransactionGas } from '../../base/protocol/transaction.js'
import type { Protocol } from '../upgrades/protocol-schedule.js'

/** First rounds of a height, whose blocks may be full. */
const fullRounds = 4
/** Halvings after which nothing is left of any parameter of 32 bits. */
const maxHalvings = 31

/** The round in which a proposal is made, and that of the polka which it claims for its block (-1: none, the block is new). */
interface ProposedIn {
  readonly round: Round
  readonly validRound: Round | -1
}

/**
 * Most bytes of transactions in a proposed block: those of the parameters in the first four rounds of a height, half as many
 * in each round after; all again when it is proposed with a valid round, for it may be of an early one. However long a height
 * is undecided, its new blocks together are less than five full ones (ADR 22).
 */
export function transactionRoom({
  round,
  validRound,
  parameters: { maxBlockTransactionBytes },
}: ProposedIn & { readonly parameters: Pick<ProtocolParameters, 'maxBlockTransactionBytes'> }): number {
  const halvings = validRound === -1 ? Math.max(0, round - fullRounds + 1) : 0
  return maxBlockTransactionBytes >>> Math.min(halvings, maxHalvings)
}

/** What a body may hold at a height, whatever round its block is of: refused beyond it before anything is computed of it. */
export function bodyLimits({
  parameters: { maxBlockTransactionBytes, maxMessagesPerBlock },
  highestGasLimit,
}: Pick<Protocol, 'parameters' | 'highestGasLimit'>): BodyLimits {
  return {
    maxTransactions: Math.floor(highestGasLimit / leastTransactionGas),
    maxTransactionBytes: maxBlockTransactionBytes,
    // One for each deposit, and one for the fees that the parent burned.
    maxWithdrawals: maxMessagesPerBlock + 1,
  }
}

/** Bytes of a block's transactions, as `transactionRoom` counts them. */
export function transactionBytes({ transactions }: Pick<Block, 'transactions'>): number {
  let bytes = 0
  for (const transaction of transactions) bytes += transaction.length
  return bytes
}
