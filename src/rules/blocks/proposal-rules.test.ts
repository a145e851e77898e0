import { describe, expect, it } from 'vitest'
import { zeroHash } from '../../base/primitives/hashes.js'
import type { Block } from '../../base/protocol/block.js'
import { devnetParameters as parameters } from '../../base/protocol/protocol-parameters.js'
import { proposerOf } from '../consensus/proposer-rotation.js'
import { account, childOf, deposit, l1Hash, genesis as parent, set } from './blocks.fixture.js'
import { checkContext, checkFixedAttributes, checkOrigin, type OriginView } from './proposal-rules.js'

type Change = Parameters<typeof childOf>[1]
const now = parent.context.timestampMs + 1_000
const other = (round: number) => proposerOf(set, 1, round)

describe('checkContext', () => {
  const verdict = (block: Block, changed: Partial<Parameters<typeof checkContext>[0]> = {}) => {
    const checked = checkContext({
      block,
      parent,
      set,
      round: 0,
      validRound: -1,
      protocol: { version: 1, parameters },
      nowMs: now,
      ...changed,
    })
    return checked.ok ? 'ok' : checked.error.reason
  }

  it('takes a block that follows the rules', () => {
    expect(verdict(childOf(parent))).toBe('ok')
  })

  it.each<[string, Change]>([
    ['wrong-parent', { header: { parentHash: zeroHash } }],
    ['wrong-height', { header: { number: 2 } }],
    ['unknown-version', { context: { version: 2 } }],
    ['wrong-version', { context: { version: 0 } }],
    ['wrong-set', { context: { setId: 2 } }],
    ['wrong-proposer', { context: { proposerIndex: (other(0) + 1) % 4 } }],
    ['context-hash-mismatch', { header: { parentBeaconBlockRoot: zeroHash } }],
    ['wrong-inbox-root', { context: { inboxRoot: zeroHash } }],
    ['timestamp-too-early', { context: { timestampMs: parent.context.timestampMs + 99 } }],
    ['timestamp-not-timely', { context: { timestampMs: now + parameters.maxClockDriftMs + 1 } }],
    ['block-too-large', { transactions: [new Uint8Array(parameters.maxBlockTransactionBytes + 1)] }],
  ])('refuses: %s', (reason, change) => {
    expect(verdict(childOf(parent, change))).toBe(reason)
  })

  it('judges by the version and the parameters of the height', () => {
    const protocol = { version: 2, parameters: { ...parameters, minBlockIntervalMs: 1_001 } }
    expect(verdict(childOf(parent), { protocol })).toBe('wrong-version')
    expect(verdict(childOf(parent, { context: { version: 2 } }), { protocol })).toBe('timestamp-too-early')
    const timestampMs = now + 1
    expect(verdict(childOf(parent, { context: { version: 2, timestampMs } }), { protocol })).toBe('ok')
  })

  it('takes what is just within the bounds', () => {
    const earliest = parent.context.timestampMs + parameters.minBlockIntervalMs
    expect(verdict(childOf(parent, { context: { timestampMs: earliest } }), { nowMs: earliest })).toBe('ok')
    expect(verdict(childOf(parent), { nowMs: now - parameters.maxClockDriftMs })).toBe('ok')
    expect(verdict(childOf(parent), { nowMs: now - parameters.maxClockDriftMs - 1 })).toBe('timestamp-not-timely')
    const transactions = [new Uint8Array(parameters.maxBlockTransactionBytes)]
    expect(verdict(childOf(parent, { transactions }))).toBe('ok')
  })

  it('lets a new block of a late round hold less, and one with a polka what any may', () => {
    const round = 6
    const full = parameters.maxBlockTransactionBytes
    const of = (bytes: number, proposer = other(round)) =>
      childOf(parent, { context: { proposerIndex: proposer }, transactions: [new Uint8Array(bytes)] })
    expect(verdict(of(full / 8), { round })).toBe('ok')
    expect(verdict(of(full / 8 + 1), { round })).toBe('block-too-large')
    expect(verdict(of(full, other(0)), { round, validRound: 0 })).toBe('ok')
  })

  it('lets a block be under way as long as its round waits for it', () => {
    const oldestMs = parameters.maxClockDriftMs + parameters.proposeTimeoutMs
    expect(verdict(childOf(parent), { nowMs: now + oldestMs })).toBe('ok')
    expect(verdict(childOf(parent), { nowMs: now + oldestMs + 1 })).toBe('timestamp-not-timely')
    const ofRound1 = childOf(parent, { context: { proposerIndex: other(1) } })
    const oldestOfRound1Ms = oldestMs + parameters.proposeTimeoutDeltaMs
    expect(verdict(ofRound1, { round: 1, nowMs: now + oldestOfRound1Ms })).toBe('ok')
    expect(verdict(ofRound1, { round: 1, nowMs: now + oldestOfRound1Ms + 1 })).toBe('timestamp-not-timely')
  })

  it('lets a block with a polka come back late and in a later round, by a proposer of one up to its valid round', () => {
    const late = { nowMs: now + 60_000 }
    expect(verdict(childOf(parent), { ...late, round: 3, validRound: 0 })).toBe('ok')
    const ofRound1 = childOf(parent, { context: { proposerIndex: other(1) } })
    expect(verdict(ofRound1, { ...late, round: 3, validRound: 1 })).toBe('ok')
    expect(verdict(ofRound1, { ...late, round: 3, validRound: 0 })).toBe('wrong-proposer')
    expect(verdict(ofRound1, { round: 1 })).toBe('ok')
  })
})

describe('checkOrigin', () => {
  const view: OriginView = {
    eligible: { number: 12, timestamp: 1_020 },
    origin: { hash: l1Hash(12) },
    parentOriginTimestamp: 1_010,
    messageCountAtOrigin: 0,
  }
  const verdict = (change: Change, changedView: Partial<OriginView> = {}) => {
    const block = childOf(parent, change)
    const checked = checkOrigin({ block, parent, view: { ...view, ...changedView }, parameters })
    return checked.ok ? 'ok' : checked.error.reason
  }
  const advanced = { context: { l1OriginNumber: 12, l1OriginHash: l1Hash(12) } }

  it('takes the parent’s origin while it is not too old, and a newer eligible one', () => {
    expect(verdict({})).toBe('ok')
    expect(verdict(advanced)).toBe('ok')
  })

  it.each<[string, Change, Partial<OriginView>]>([
    ['l1-origin-behind-parent', { context: { l1OriginNumber: 9, l1OriginHash: l1Hash(9) } }, {}],
    ['l1-origin-not-canonical', { context: { l1OriginHash: l1Hash(11) } }, {}],
    ['l1-origin-must-advance', {}, { eligible: { number: 12, timestamp: 1_010 + parameters.maxL1LagSec + 1 } }],
    ['l1-origin-unknown', advanced, { origin: null }],
    ['l1-origin-unknown', advanced, { eligible: null }],
    ['l1-origin-unknown', advanced, { eligible: { number: 11, timestamp: 1_015 } }],
    ['l1-origin-not-canonical', advanced, { origin: { hash: l1Hash(13) } }],
    ['wrong-message-count', advanced, { messageCountAtOrigin: 1 }],
    ['wrong-message-count', { ...advanced, messages: [deposit(0, 12)] }, {}],
  ])('refuses: %s', (reason, change, changedView) => {
    expect(verdict(change, changedView)).toBe(reason)
  })

  it('wants the messages of the origin, as many as a block may consume', () => {
    const messages = Array.from({ length: parameters.maxMessagesPerBlock }, (_, i) => deposit(i, 12))
    expect(verdict({ ...advanced, messages }, { messageCountAtOrigin: 1_000 })).toBe('ok')
    expect(verdict({ ...advanced, messages: messages.slice(1) }, { messageCountAtOrigin: 1_000 })).toBe(
      'wrong-message-count',
    )
  })

  it('does not ask for an advance where it does not know the age of the parent’s origin', () => {
    expect(verdict({}, { eligible: { number: 12, timestamp: 9_999 }, parentOriginTimestamp: null })).toBe('ok')
    expect(verdict({}, { eligible: null })).toBe('ok')
  })
})

describe('checkFixedAttributes', () => {
  const messages = [deposit(0, 10), deposit(1, 10)]
  const verdict = (block: Block) => {
    const checked = checkFixedAttributes({ block, parent, set, messages, parameters })
    return checked.ok ? 'ok' : `${checked.error.reason} ${checked.error.detail}`
  }
  const honest = childOf(parent, { messages })

  it('takes a block that follows the rules', () => {
    expect(verdict(honest)).toBe('ok')
  })

  it.each([
    ['timestamp', { timestamp: honest.header.timestamp + 1 }],
    ['feeRecipient', { feeRecipient: account(9) }],
    ['prevRandao', { prevRandao: zeroHash }],
    ['gasLimit', { gasLimit: parameters.gasLimit + 1 }],
  ])('refuses another %s', (field, header) => {
    expect(verdict(childOf(parent, { messages, header }))).toContain(`header-field-mismatch ${field}`)
  })

  it.each([
    ['one more', [...honest.withdrawals, honest.withdrawals[0]!]],
    ['one less', honest.withdrawals.slice(1)],
    ['another order', [...honest.withdrawals].reverse()],
    ['another amount', [{ ...honest.withdrawals[0]!, amount: 99n }, honest.withdrawals[1]!]],
    ['another address', [{ ...honest.withdrawals[0]!, address: account(9) }, honest.withdrawals[1]!]],
    ['another index', [{ ...honest.withdrawals[0]!, index: 0 }, honest.withdrawals[1]!]],
    ['another kind', [{ ...honest.withdrawals[0]!, validatorIndex: 1 }, honest.withdrawals[1]!]],
  ])('refuses withdrawals with %s', (_what, withdrawals) => {
    expect(verdict({ ...honest, withdrawals })).toContain('withdrawals-mismatch')
  })
})
