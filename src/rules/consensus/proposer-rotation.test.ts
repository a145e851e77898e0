import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../base/primitives/invariant.js'
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

  it('gives each member its share of any window, within one turn and the logarithm of the number of members', () => {
    fc.assert(
      fc.property(powers, fc.nat(5_000), fc.integer({ min: 1, max: 600 }), (list, from, length) => {
        const set = setOf(list)
        const counts = list.map(() => 0)
        for (let height = from; height < from + length; height++) counts[proposerOf(set, height, 0)]!++
        const turns = turnsOf(set)
        const pass = turns.reduce((sum, turn) => sum + turn, 0)
        const bound = 1 + Math.log(list.length)
        for (const [member, count] of counts.entries())
          expect(Math.abs(count - (length * turns[member]!) / pass)).toBeLessThanOrEqual(bound)
      }),
      { numRuns: 200 },
    )
  })
})

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
