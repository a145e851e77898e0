import { describe, expect, it } from 'vitest'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import { createProtocolSchedule } from '../upgrades/protocol-schedule.js'
import { bodyLimits, transactionBytes, transactionRoom } from './block-room.js'

const parameters = { maxBlockTransactionBytes: 700_000 }
const room = (round: number, validRound = -1) => transactionRoom({ round, validRound, parameters })

describe('transactionRoom', () => {
  it('is whole in the first rounds and halves from then on', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map(round => room(round))).toEqual([
      700_000, 700_000, 700_000, 700_000, 350_000, 175_000, 87_500,
    ])
  })

  it('comes to nothing, also in the last rounds that can be counted', () => {
    for (const round of [23, 34, 35, 36, 1_000, Number.MAX_SAFE_INTEGER]) expect(room(round)).toBe(0)
  })

  it('is whole for a block that had a polka: it may be of an early round', () => {
    expect(room(1_000, 0)).toBe(700_000)
  })

  it('sums up to less than five full blocks over all rounds of a height', () => {
    const all = Array.from({ length: 10_000 }, (_, round) => room(round)).reduce((sum, bytes) => sum + bytes, 0)
    expect(all).toBeLessThan(5 * parameters.maxBlockTransactionBytes)
  })
})

it('a body may hold what the gas limits so far allow, and the bytes and deposits of its height', () => {
  const { gasLimit, maxBlockTransactionBytes, maxMessagesPerBlock } = devnetParameters
  const lowered = { version: 2, activationHeight: 10, parameters: { gasLimit: gasLimit / 2 } }
  const schedule = createProtocolSchedule({ parameters: devnetParameters, upgrades: [lowered], latestKnown: 2 })
  const limits = bodyLimits(schedule.at(10))
  expect(limits.maxTransactions).toBe(Math.floor(gasLimit / 21_000))
  expect(limits).toMatchObject({
    maxTransactionBytes: maxBlockTransactionBytes,
    maxWithdrawals: maxMessagesPerBlock + 1,
  })
})

it('transactionBytes counts what they hold', () => {
  expect(transactionBytes({ transactions: [] })).toBe(0)
  expect(transactionBytes({ transactions: [new Uint8Array(3), new Uint8Array(4)] })).toBe(7)
})
