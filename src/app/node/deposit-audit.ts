import { type Height, weiPerGwei } from '../../base/primitives/quantities.js'
import type { Block } from '../../base/protocol/block.js'
import type { BlockContext } from '../../base/protocol/block-context.js'
import { ethDeposit, type L1Message } from '../../base/protocol/l1-message.js'
import type { Withdrawal } from '../../base/protocol/withdrawal.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import { depositWithdrawal } from '../../rules/blocks/block-withdrawals.js'
import type { Chain } from '../../services/chain/chain.js'
import type { L1Follower } from '../../services/l1-follower/l1-follower.js'

/** A decided block that consumed L1 messages [from, to). */
interface Unconfirmed {
  readonly height: Height
  readonly from: number
  readonly to: number
  readonly context: BlockContext
  readonly deposits: readonly Withdrawal[]
  isTold: boolean
}

/** Blocks that are remembered until L1 as seen here confirms them; the oldest give way. */
const maxUnconfirmed = 1_024

/**
 * Holds the deposits of blocks that consensus decided against this node's own view of L1, which may come to know them only
 * later: a quorum overrules that view (ADR 4), so a contradiction stops nothing; the operator has to hear of it.
 */
export function auditDeposits({
  chain,
  follower,
  logger,
  metrics,
}: {
  chain: Pick<Chain, 'head' | 'onCommitted'>
  follower: Pick<L1Follower, 'canonical' | 'messages' | 'onChange'>
  logger: Logger
  metrics: Metrics
}): void {
  const gauge = metrics.gauge(
    'morphism_l1_unconfirmed_blocks',
    'Decided blocks with deposits that L1 has not confirmed',
  )
  let unconfirmed: Unconfirmed[] = []
  let consumed = chain.head().context.messagesConsumed
  const look = () => {
    unconfirmed = unconfirmed.slice(-maxUnconfirmed).filter(block => {
      const verdict = verdictOf(block, follower)
      if (verdict === 'contradicted' && !block.isTold) {
        block.isTold = true
        const { height, context } = block
        logger.error('a decided block has deposits that are others in this view of L1', {
          height,
          l1OriginNumber: context.l1OriginNumber,
          l1OriginHash: context.l1OriginHash,
        })
      }
      return verdict !== 'confirmed'
    })
    gauge.set(unconfirmed.length)
  }
  chain.onCommitted(({ block, decidedHere }) => {
    const from = consumed
    consumed = block.context.messagesConsumed
    // What was imported was checked before it was taken.
    if (!decidedHere || consumed === from) return
    unconfirmed.push(unconfirmedOf(block, from))
    look()
  })
  follower.onChange(() => {
    if (unconfirmed.length > 0) look()
  })
}

function unconfirmedOf({ header, context, withdrawals }: Block, from: number): Unconfirmed {
  const deposits = withdrawals.filter(({ validatorIndex }) => validatorIndex === depositWithdrawal)
  return { height: header.number, from, to: context.messagesConsumed, context, deposits, isTold: false }
}

function verdictOf(
  { from, to, context, deposits }: Unconfirmed,
  follower: Pick<L1Follower, 'canonical' | 'messages'>,
): 'unknown' | 'confirmed' | 'contradicted' {
  const origin = follower.canonical(context.l1OriginNumber)
  if (!origin) return 'unknown'
  const messages = follower.messages({ from, upToL1Block: context.l1OriginNumber, limit: to - from })
  const isSame = origin.hash === context.l1OriginHash && messages.length === to - from && areOf(deposits, messages)
  return isSame ? 'confirmed' : 'contradicted'
}

function areOf(deposits: readonly Withdrawal[], messages: readonly L1Message[]): boolean {
  const credited = messages.filter(({ kind }) => kind === ethDeposit)
  return (
    deposits.length === credited.length &&
    credited.every(({ to, amount }, i) => {
      const deposit = deposits[i]!
      return deposit.address === to && deposit.amount === amount / weiPerGwei
    })
  )
}
