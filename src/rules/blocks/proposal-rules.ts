import type { L1BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import type { Block } from '../../base/protocol/block.js'
import { emptyInboxRoot } from '../../base/protocol/block-context.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Withdrawal } from '../../base/protocol/withdrawal.js'
import { proposerOf } from '../consensus/proposer-rotation.js'
import { timeoutMs } from '../consensus/timeouts.js'
import type { Protocol } from '../upgrades/protocol-schedule.js'
import { fixedAttributes, messagesConsumedAfter, type ParentBlock } from './block-attributes.js'
import { transactionBytes, transactionRoom } from './block-room.js'

/** Why a proposed block is refused before it is executed. */
export type ProposalRefusal =
  | 'wrong-parent'
  | 'wrong-height'
  | 'wrong-version'
  | 'unknown-version'
  | 'wrong-set'
  | 'wrong-valid-round'
  | 'wrong-proposer'
  | 'timestamp-too-early'
  | 'timestamp-not-timely'
  | 'header-field-mismatch'
  | 'withdrawals-mismatch'
  | 'wrong-inbox-root'
  | 'l1-origin-behind-parent'
  | 'l1-origin-unknown'
  | 'l1-origin-not-canonical'
  | 'l1-origin-must-advance'
  | 'wrong-message-count'
  | 'block-too-large'

export interface Refused {
  readonly reason: ProposalRefusal
  readonly detail: string
}

/** This node's own view of L1, as far as a proposal is judged by it. */
export interface OriginView {
  /** Newest L1 block that is deep enough to be an origin. */
  readonly eligible: { readonly number: number; readonly timestamp: number } | null
  /** Canonical block at the proposal's origin number, when this node knows it. */
  readonly origin: { readonly hash: L1BlockHash } | null
  /** Seconds of the parent's origin, when known. */
  readonly parentOriginTimestamp: number | null
  /** Messages in L1 blocks up to the proposal's origin. */
  readonly messageCountAtOrigin: number
}

/**
 * Checks a proposal against the block that it names. It may be false where the block is not, since anybody can propose
 * another's block: a false one is dropped and says nothing of its block (ADR 25).
 */
export function checkProposal({
  proposal: { height, round, validRound },
  block,
  set,
  parameters,
}: {
  proposal: Pick<Proposal, 'height' | 'round' | 'validRound'>
  block: Block
  set: SequencerSet
  parameters: ProtocolParameters
}): Result<void, Refused> {
  const no = (reason: ProposalRefusal, detail: string) => refuse<Refused>({ reason, detail })
  if (validRound < -1 || validRound >= round) return no('wrong-valid-round', `${validRound} in round ${round}`)
  const { proposerIndex: member } = block.context
  if (!mayHaveProposed({ member, set, height, rounds: validRound === -1 ? [round, round] : [0, validRound] }))
    return no('wrong-proposer', `block of member ${member}, which did not propose it by round ${round}`)
  const bytes = transactionBytes(block)
  if (bytes > transactionRoom({ round, validRound, parameters }))
    return no('block-too-large', `${bytes} bytes of transactions in round ${round}`)
  return ok(undefined)
}

function mayHaveProposed({
  member,
  set,
  height,
  rounds: [first, last],
}: {
  member: MemberIndex
  set: SequencerSet
  height: Height
  rounds: readonly [Round, Round]
}): boolean {
  for (let round = first; round <= last; round++) if (proposerOf(set, height, round) === member) return true
  return false
}

/** Checks a block against its parent, where that needs neither L1 nor execution: links, times, the context's own fields. */
export function checkContext({
  block,
  parent,
  set,
  protocol: { version, parameters },
}: {
  block: Block
  parent: ParentBlock
  set: SequencerSet
  /** What holds at the block's height. */
  protocol: Pick<Protocol, 'version' | 'parameters'>
}): Result<void, Refused> {
  const { header, context } = block
  const no = (reason: ProposalRefusal, detail: string) => refuse<Refused>({ reason, detail })
  if (header.parentHash !== parent.hash) return no('wrong-parent', `parent ${header.parentHash}, head ${parent.hash}`)
  if (header.number !== parent.header.number + 1) return no('wrong-height', `number ${header.number}`)
  if (context.version !== version)
    return no(
      context.version > version ? 'unknown-version' : 'wrong-version',
      `protocol version ${context.version}, here ${version} at height ${header.number}`,
    )
  if (context.setId !== set.setId) return no('wrong-set', `set ${context.setId}, active ${set.setId}`)
  if (context.inboxRoot !== emptyInboxRoot) return no('wrong-inbox-root', context.inboxRoot)
  const earliest = parent.context.timestampMs + parameters.minBlockIntervalMs
  if (context.timestampMs < earliest) return no('timestamp-too-early', `${context.timestampMs} < ${earliest}`)
  return ok(undefined)
}

/**
 * Checks a block's time against this node's clock. It may have been under way as long as the round waits for a proposal,
 * which grows, so that slow networks come to agree too (ADR 11).
 */
export function checkTimely({
  block,
  round,
  parameters,
  nowMs,
}: {
  block: Block
  round: Round
  parameters: ProtocolParameters
  nowMs: number
}): Result<void, Refused> {
  const { maxClockDriftMs } = parameters
  const aheadMs = block.context.timestampMs - nowMs
  const oldestMs = maxClockDriftMs + timeoutMs(parameters, 'propose', round)
  if (aheadMs <= maxClockDriftMs && -aheadMs <= oldestMs) return ok(undefined)
  return refuse({ reason: 'timestamp-not-timely', detail: `${aheadMs} ms from the local clock` })
}

/** Checks the L1 origin and the number of messages consumed against this node's own view of L1. */
export function checkOrigin({
  block,
  parent,
  view,
  parameters,
}: {
  block: Block
  parent: ParentBlock
  view: OriginView
  parameters: ProtocolParameters
}): Result<void, Refused> {
  const { context } = block
  const no = (reason: ProposalRefusal, detail: string) => refuse<Refused>({ reason, detail })
  if (context.l1OriginNumber < parent.context.l1OriginNumber)
    return no('l1-origin-behind-parent', `${context.l1OriginNumber} < ${parent.context.l1OriginNumber}`)
  if (context.l1OriginNumber === parent.context.l1OriginNumber) {
    if (context.l1OriginHash !== parent.context.l1OriginHash) return no('l1-origin-not-canonical', context.l1OriginHash)
    const lag =
      view.eligible && view.parentOriginTimestamp !== null ? view.eligible.timestamp - view.parentOriginTimestamp : 0
    if (lag > parameters.maxL1LagSec)
      return no('l1-origin-must-advance', `${lag} s behind the newest eligible L1 block`)
  } else {
    if (!view.origin || !view.eligible || context.l1OriginNumber > view.eligible.number)
      return no('l1-origin-unknown', `L1 block ${context.l1OriginNumber} is not deep enough here`)
    if (view.origin.hash !== context.l1OriginHash) return no('l1-origin-not-canonical', context.l1OriginHash)
  }
  const expected = messagesConsumedAfter({
    parentConsumed: parent.context.messagesConsumed,
    countAtOrigin: view.messageCountAtOrigin,
    maxMessagesPerBlock: parameters.maxMessagesPerBlock,
  })
  if (context.messagesConsumed !== expected)
    return no('wrong-message-count', `${context.messagesConsumed}, expected ${expected}`)
  return ok(undefined)
}

/** Checks every header field and withdrawal that consensus fixes; `messages` are those that the block consumes. */
export function checkFixedAttributes({
  block,
  parent,
  set,
  messages,
  parameters,
}: {
  block: Block
  parent: ParentBlock
  set: SequencerSet
  messages: readonly L1Message[]
  parameters: ProtocolParameters
}): Result<{ feeCarryWei: bigint }, Refused> {
  const { header } = block
  const { attributes, feeCarryWei } = fixedAttributes({
    parent,
    context: block.context,
    messages,
    set,
    gasLimit: parameters.gasLimit,
  })
  for (const field of ['timestamp', 'feeRecipient', 'prevRandao', 'gasLimit'] as const) {
    if (header[field] !== attributes[field])
      return refuse({
        reason: 'header-field-mismatch',
        detail: `${field} ${header[field]}, expected ${attributes[field]}`,
      })
  }
  if (!sameWithdrawals(block.withdrawals, attributes.withdrawals))
    return refuse({
      reason: 'withdrawals-mismatch',
      detail: `${block.withdrawals.length}, expected ${attributes.withdrawals.length}`,
    })
  return ok({ feeCarryWei })
}

function sameWithdrawals(a: readonly Withdrawal[], b: readonly Withdrawal[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i]!
      return (
        one.index === other.index &&
        one.validatorIndex === other.validatorIndex &&
        one.address === other.address &&
        one.amount === other.amount
      )
    })
  )
}
