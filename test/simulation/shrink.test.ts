import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FaultEvent } from './fault-schedule.js'
import { shrinkEvents } from './shrink.js'

const event = (atMs: number): FaultEvent => ({ atMs, kind: 'l1-reorg', depth: 1 })

describe('shrinking a schedule', () => {
  it('finds the faults that a failure needs, and only those', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.uniqueArray(fc.nat(39), { minLength: 1, maxLength: 3 }),
        async (length, wanted) => {
          const needed = wanted.filter(index => index < length)
          const events = Array.from({ length }, (_, i) => event(i))
          const stillFails = async (kept: readonly FaultEvent[]) =>
            needed.every(index => kept.some(({ atMs }) => atMs === index))
          const shrunken = await shrinkEvents({ events, stillFails, maxTries: 10_000 })
          expect(shrunken.map(({ atMs }) => atMs)).toEqual([...needed].sort((a, b) => a - b))
        },
      ),
      { numRuns: 50 },
    )
  })

  it('stops after as many tries as it may take', async () => {
    let tries = 0
    const events = Array.from({ length: 100 }, (_, i) => event(i))
    await shrinkEvents({ events, maxTries: 7, stillFails: async kept => ++tries > 0 && kept.length === 100 })
    expect(tries).toBeLessThanOrEqual(8)
  })
})
