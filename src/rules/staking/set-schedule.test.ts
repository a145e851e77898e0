import { describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { zeroAddress } from '../../base/primitives/hashes.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import { makeSequencerSet } from '../../base/protocol/sequencer-set.js'
import { createSetSchedule } from './set-schedule.js'

const publicKey = parseBlsPublicKey(BlsSecretKey.fromSeed(new Uint8Array(32).fill(1)).publicKey())!
const member = { operator: zeroAddress, submitter: zeroAddress, feeRecipient: zeroAddress, publicKey }
const setOf = (setId: number, members = 4, power = 1n) =>
  makeSequencerSet(
    setId,
    Array.from({ length: members }, () => ({ ...member, power })),
  )
const scheduleOf = () => createSetSchedule({ genesisSet: setOf(1), minSequencers: 4 })

describe('set schedule', () => {
  it('begins with the genesis set at height 1', () => {
    const schedule = scheduleOf()
    for (const height of [0, 1, 2, 1_000_000]) {
      expect(schedule.setAt(height).setId).toBe(1)
      expect(schedule.activeFrom(height)).toBe(1)
    }
  })

  it('activates an update two heights after the block that consumed it, and keeps the past', () => {
    const schedule = scheduleOf()
    expect(schedule.consume({ height: 10, set: setOf(2) })).toEqual({ ok: true, value: 12 })
    expect(schedule.consume({ height: 11, set: setOf(3) })).toEqual({ ok: true, value: 13 })
    expect([1, 11, 12, 13, 99].map(height => schedule.setAt(height).setId)).toEqual([1, 1, 2, 3, 3])
    expect([11, 12, 13, 99].map(schedule.activeFrom)).toEqual([1, 12, 13, 13])
    expect([1, 2, 3, 4].map(setId => schedule.withId(setId)?.setId)).toEqual([1, 2, 3, undefined])
  })

  it('takes the last of several updates in one block', () => {
    const schedule = scheduleOf()
    schedule.consume({ height: 5, set: setOf(2) })
    schedule.consume({ height: 5, set: setOf(3) })
    expect([6, 7].map(height => schedule.setAt(height).setId)).toEqual([1, 3])
    expect(schedule.activeFrom(7)).toBe(7)
  })

  it('keeps the old set when the new one could not go on', () => {
    const schedule = scheduleOf()
    const refusalOf = (set: ReturnType<typeof setOf>) => schedule.consume({ height: 5, set })
    expect(refusalOf(setOf(2, 3))).toEqual({ ok: false, error: 'too-few-members' })
    expect(refusalOf(setOf(2, 257))).toEqual({ ok: false, error: 'too-many-members' })
    expect(refusalOf(setOf(2, 4, 0n))).toEqual({ ok: false, error: 'no-power' })
    expect(refusalOf(setOf(1))).toEqual({ ok: false, error: 'not-newer' })
    expect(schedule.setAt(7).setId).toBe(1)
    expect(schedule.consume({ height: 6, set: setOf(3) })).toEqual({ ok: true, value: 8 })
    expect(() => schedule.consume({ height: 5, set: setOf(4) })).toThrow(InvariantError)
  })
})
