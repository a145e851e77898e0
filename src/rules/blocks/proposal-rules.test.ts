import { describe, expect, it } from 'vitest'
import { zeroHash } from '../../base/primitives/hashes.js'
import type { Block } from '../../base/protocol/block.js'
import { devnetParameters as parameters } from '../../base/protocol/protocol-parameters.js'
import { proposerOf } from '../consensus/proposer-rotation.js'
import { account, childOf, deposit, l1Hash, genesis as parent, set } from './blocks.fixture.js'
import {
  checkContext,
  checkFixedAttributes,
  checkOrigin,
  checkProposal,
  checkTimely,
  type OriginView,
} from './proposal-rules.js'

type Change = Parameters<typeof childOf>[1]
const now = parent.context.timestampMs + 1_000
const other = (round: number) => proposerOf(set, 1, round)

describe('checkProposal', () => {
  const verdict = (block: Block, { round = 0, validRound = -1 } = {}) => {
    const checked = checkProposal({ proposal: { height: 1, round, validRound }, block, set, parameters })
    return checked.ok ? 'ok' : checked.error.reason
  }
  const of = (round: number, bytes = 0) =>
    childOf(parent, {
      context: { proposerIndex: other(round) },
      transactions: bytes > 0 ? [new Uint8Array(bytes)] : [],
    })

  it('takes a new block of the round’s proposer alone', () => {
    for (const round of [0, 1, 2, 5]) expect(verdict(of(round), { round })).toBe('ok')
    expect(verdict(of(1))).toBe('wrong-proposer')
    expect(verdict(of(0), { round: 1 })).toBe('wrong-proposer')
  })

  it('takes a block with a polka of any proposer up to its valid round', () => {
    expect(verdict(of(0), { round: 3, validRound: 0 })).toBe('ok')
    expect(verdict(of(1), { round: 3, validRound: 1 })).toBe('ok')
    expect(verdict(of(1), { round: 3, validRound: 0 })).toBe('wrong-proposer')
    expect(verdict(of(3), { round: 3, validRound: 2 })).toBe('wrong-proposer')
  })

  it('takes no valid round that is not before its round', () => {
    expect(verdict(of(0), { validRound: 0 })).toBe('wrong-valid-round')
    expect(verdict(of(0), { round: 1, validRound: 2 ** 32 - 1 })).toBe('wrong-valid-round')
    expect(verdict(of(0), { round: 1, validRound: -2 })).toBe('wrong-valid-round')
  })

  it('lets a new block of a late round hold less, and one with a polka what any may', () => {
    const full = parameters.maxBlockTransactionBytes
    expect(verdict(of(0, full))).toBe('ok')
    expect(verdict(of(0, full + 1))).toBe('block-too-large')
    const round = 6
    expect(verdict(of(round, full / 8), { round })).toBe('ok')
    expect(verdict(of(round, full / 8 + 1), { round })).toBe('block-too-large')
    expect(verdict(of(0, full), { round, validRound: 0 })).toBe('ok')
    expect(verdict(of(0, full + 1), { round, validRound: 0 })).toBe('block-too-large')
  })
})

describe('checkContext', () => {
  const verdict = (block: Block, protocol = { version: 1, parameters }) => {
    const checked = checkContext({ block, parent, set, protocol })
    return checked.ok ? 'ok' : checked.error.reason
  }

  it('takes a block that follows the rules, of whichever member', () => {
    for (const proposerIndex of [0, 1, 2, 3])
      expect(verdict(childOf(parent, { context: { proposerIndex } }))).toBe('ok')
  })

  it.each<[string, Change]>([
    ['wrong-parent', { header: { parentHash: zeroHash } }],
    ['wrong-height', { header: { number: 2 } }],
    ['unknown-version', { context: { version: 2 } }],
    ['wrong-version', { context: { version: 0 } }],
    ['wrong-set', { context: { setId: 2 } }],
    ['wrong-inbox-root', { context: { inboxRoot: zeroHash } }],
    ['timestamp-too-early', { context: { timestampMs: parent.context.timestampMs + 99 } }],
  ])('refuses: %s', (reason, change) => {
    expect(verdict(childOf(parent, change))).toBe(reason)
  })

  it('judges by the version and the parameters of the height', () => {
    const protocol = { version: 2, parameters: { ...parameters, minBlockIntervalMs: 1_001 } }
    expect(verdict(childOf(parent), protocol)).toBe('wrong-version')
    expect(verdict(childOf(parent, { context: { version: 2 } }), protocol)).toBe('timestamp-too-early')
    const timestampMs = now + 1
    expect(verdict(childOf(parent, { context: { version: 2, timestampMs } }), protocol)).toBe('ok')
  })

  it('takes a block as early as the interval allows', () => {
    const earliest = parent.context.timestampMs + parameters.minBlockIntervalMs
    expect(verdict(childOf(parent, { context: { timestampMs: earliest } }))).toBe('ok')
  })
})

describe('checkTimely', () => {
  const isTimely = (nowMs: number, round = 0) => checkTimely({ block: childOf(parent), round, parameters, nowMs }).ok

  it('holds a block against the clock', () => {
    expect(isTimely(now)).toBe(true)
    expect(isTimely(now - parameters.maxClockDriftMs)).toBe(true)
    expect(isTimely(now - parameters.maxClockDriftMs - 1)).toBe(false)
  })

  it('lets a block be under way as long as its round waits for it', () => {
    const oldestMs = parameters.maxClockDriftMs + parameters.proposeTimeoutMs
    expect(isTimely(now + oldestMs)).toBe(true)
    expect(isTimely(now + oldestMs + 1)).toBe(false)
    const oldestOfRound1Ms = oldestMs + parameters.proposeTimeoutDeltaMs
    expect(isTimely(now + oldestOfRound1Ms, 1)).toBe(true)
    expect(isTimely(now + oldestOfRound1Ms + 1, 1)).toBe(false)
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
