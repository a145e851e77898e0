import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../base/primitives/invariant.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { setOf } from './core.fixture.js'
import { maxScheduleLength, proposerOf, turnsOf } from './proposer-rotation.js'

const powers = fc.array(fc.bigInt({ min: 1n, max: 1_000n }), { minLength: 1, maxLength: 12 })

describe('proposerOf', () => {
  it('is plain rotation when all powers are equal', () => {
    const set = setOf([70n, 70n, 70n, 70n])
    expect([0, 1, 2, 3, 4, 5].map(height => proposerOf(set, height, 0))).toEqual([0, 1, 2, 3, 0, 1])
    expect([0, 1, 2, 3].map(round => proposerOf(set, 6, round))).toEqual([2, 3, 0, 1])
  })

  it('spreads the turns of a heavy member', () => {
    const set = setOf([5n, 1n, 1n])
    expect([0, 1, 2, 3, 4, 5, 6].map(height => proposerOf(set, height, 0))).toEqual([0, 0, 1, 0, 2, 0, 0])
  })

  it('depends on powers alone: equal sets agree', () => {
    fc.assert(
      fc.property(powers, fc.nat(), fc.nat(1_000), (list, height, round) => {
        expect(proposerOf(setOf(list), height, round)).toBe(proposerOf(setOf(list), height, round))
        expect(proposerOf(setOf(list.map(p => p * 7n)), height, round)).toBe(proposerOf(setOf(list), height, round))
      }),
    )
  })

  it('gives each member its share of any window of heights, in every round, to within H(N) - 1/N turns', () => {
    fc.assert(
      fc.property(powers, fc.nat(5_000), fc.nat(50), fc.integer({ min: 1, max: 600 }), (list, from, round, length) => {
        const set = setOf(list)
        const turns = Array.from({ length }, (_, i) => proposerOf(set, from + i, round))
        expectShares({ set, turns, bound: boundOf(list.length) })
      }),
      { numRuns: 200 },
    )
  })

  it('gives each member its share of any run of rounds of one height, to within the same bound', () => {
    fc.assert(
      fc.property(
        powers,
        fc.nat(5_000),
        fc.nat(100),
        fc.integer({ min: 1, max: 200 }),
        (list, height, from, length) => {
          const set = setOf(list)
          const turns = Array.from({ length }, (_, i) => proposerOf(set, height, from + i))
          expectShares({ set, turns, bound: boundOf(list.length) })
        },
      ),
      { numRuns: 200 },
    )
  })

  it('gives each member its share of all turns when heights go through rounds, to within the bound for each such height', () => {
    const failures = fc.array(fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 12 })), {
      minLength: 1,
      maxLength: 200,
    })
    fc.assert(
      fc.property(powers, fc.nat(5_000), failures, (list, from, lastRounds) => {
        const set = setOf(list)
        const turns = lastRounds.flatMap((lastRound, i) =>
          Array.from({ length: lastRound + 1 }, (_, round) => proposerOf(set, from + i, round)),
        )
        const failed = lastRounds.filter(lastRound => lastRound > 0).length
        expectShares({ set, turns, bound: boundOf(list.length) * (1 + failed) })
      }),
      { numRuns: 200 },
    )
  })

  it('gives turns by power when powers are large, to within the resolution of the schedule', () => {
    const large = fc.array(fc.bigInt({ min: 2n ** 32n, max: 2n ** 64n - 1n }), { minLength: 2, maxLength: 40 })
    fc.assert(
      fc.property(large, fc.nat(10_000), fc.integer({ min: 1, max: 5_000 }), (list, from, length) => {
        const set = setOf(list)
        const turns = Array.from({ length }, (_, i) => proposerOf(set, from + i, 0))
        for (const { index, power } of set.members) {
          const share = Number(power) / Number(set.totalPower)
          const resolution = (length * Math.max(2, list.length * share)) / maxScheduleLength
          const count = turns.filter(member => member === index).length
          expect(Math.abs(count - length * share)).toBeLessThanOrEqual(boundOf(list.length) + resolution + rounding)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('comes close to the bound: no smaller one of its kind holds for two members', () => {
    const set = setOf([99n, 100n])
    const deviation = Array.from({ length: 199 }, (_, height) => proposerOf(set, height, 0))
    const worst = Math.max(
      ...[1, 2, 3].flatMap(length => deviation.map((_, from) => excess(set, deviation, from, length))),
    )
    expect(worst).toBeGreaterThan(0.98 * boundOf(2))
  })
})

/** What a comparison of floating-point sums may be off by. */
const rounding = 1e-9

/** H(N) - 1/N: a member's credit stays between -(1 - 1/N) and H(N) - 1 passes (spec/consensus.md). */
function boundOf(members: number): number {
  let harmonic = 0
  for (let i = 1; i <= members; i++) harmonic += 1 / i
  return harmonic - 1 / members
}

function expectShares({ set, turns, bound }: { set: SequencerSet; turns: readonly number[]; bound: number }): void {
  const perPass = turnsOf(set)
  const pass = perPass.reduce((sum, turn) => sum + turn, 0)
  for (const { index } of set.members) {
    const count = turns.filter(member => member === index).length
    expect(Math.abs(count - (turns.length * perPass[index]!) / pass)).toBeLessThanOrEqual(bound + rounding)
  }
}

/** How far member 0's turns in a window are from its share. */
function excess(set: SequencerSet, proposers: readonly number[], from: number, length: number): number {
  const perPass = turnsOf(set)
  const pass = perPass.reduce((sum, turn) => sum + turn, 0)
  const turns = Array.from({ length }, (_, i) => proposers[(from + i) % pass]!)
  return Math.abs(turns.filter(member => member === 0).length - (length * perPass[0]!) / pass)
}

describe('turnsOf', () => {
  it('is the powers by their common divisor', () => {
    expect(turnsOf(setOf([32_000_000_000n, 64_000_000_000n]))).toEqual([1, 2])
  })

  it('scales large totals to the most turns, by largest remainder, nobody left out', () => {
    const large = fc.array(fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), { minLength: 2, maxLength: 256 })
    fc.assert(
      fc.property(large, list => {
        const turns = turnsOf(setOf(list))
        const total = list.reduce((sum, power) => sum + power, 0n)
        const sum = turns.reduce((all, turn) => all + turn, 0)
        expect(sum).toBeLessThanOrEqual(maxScheduleLength)
        expect(Math.min(...turns)).toBeGreaterThanOrEqual(1)
        if (sum < maxScheduleLength) return
        for (const [i, turn] of turns.entries()) {
          const share = Number((list[i]! * BigInt(maxScheduleLength - list.length)) / total)
          expect(Math.abs(turn - 1 - share)).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('refuses a set without members or power', () => {
    expect(() => turnsOf(setOf([]))).toThrow(InvariantError)
    expect(() => turnsOf(setOf([0n, 0n]))).toThrow(InvariantError)
  })
})
