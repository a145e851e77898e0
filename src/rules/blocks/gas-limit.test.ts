import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leastGasLimit, nextGasLimit } from './gas-limit.js'

const walk = (from: number, gasLimit: number): number[] => {
  const limits = [from]
  while (limits.at(-1) !== gasLimit) limits.push(nextGasLimit({ parentGasLimit: limits.at(-1)!, gasLimit }))
  return limits
}

describe('the gas limit of the next block', () => {
  it('is the parameter while that does not change', () => {
    expect(nextGasLimit({ parentGasLimit: 30_000_000, gasLimit: 30_000_000 })).toBe(30_000_000)
  })

  it('goes to a new parameter by the largest steps that Ethereum allows', () => {
    expect(walk(30_000_000, 30_060_000)).toEqual([30_000_000, 30_029_295, 30_058_619, 30_060_000])
    expect(walk(30_060_000, 30_000_000)).toEqual([30_060_000, 30_030_646, 30_001_321, 30_000_000])
    expect(walk(30_000_000, 60_000_000).length).toBeLessThan(720)
  })

  it('is always one that an Ethereum client accepts, and gets there', () => {
    const limit = fc.integer({ min: leastGasLimit, max: 2 ** 40 })
    fc.assert(
      fc.property(limit, limit, (parentGasLimit, gasLimit) => {
        const next = nextGasLimit({ parentGasLimit, gasLimit })
        expect(next).toBeGreaterThanOrEqual(leastGasLimit)
        expect(Math.abs(next - parentGasLimit)).toBeLessThan(Math.floor(parentGasLimit / 1_024))
        if (parentGasLimit !== gasLimit)
          expect(Math.abs(gasLimit - next)).toBeLessThan(Math.abs(gasLimit - parentGasLimit))
      }),
    )
  })
})
