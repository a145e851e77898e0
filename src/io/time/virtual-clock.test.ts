import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from './virtual-clock.js'

describe('VirtualClock', () => {
  it('runs tasks by time and, at one instant, in the order they were scheduled', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ delayMs: fc.nat(20), isCancelled: fc.boolean() })), async tasks => {
        const clock = new VirtualClock(1_000)
        const ran: number[] = []
        tasks.forEach(({ delayMs, isCancelled }, i) => {
          const cancel = clock.schedule(delayMs, () => {
            expect(clock.nowMs()).toBe(1_000 + delayMs)
            ran.push(i)
          })
          if (isCancelled) cancel()
        })
        await clock.advance(20)
        const expected = [...tasks.keys()]
          .filter(i => !tasks[i]!.isCancelled)
          .sort((a, b) => tasks[a]!.delayMs - tasks[b]!.delayMs || a - b)
        expect(ran).toEqual(expected)
        expect(clock.nowMs()).toBe(1_020)
      }),
      { numRuns: 100 },
    )
  })

  it('runs what tasks schedule within the time, and leaves the rest', async () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    clock.schedule(5, () => {
      ran.push('first')
      clock.schedule(5, () => ran.push('second'))
      clock.schedule(6, () => ran.push('third'))
    })
    await clock.advance(10)
    expect(ran).toEqual(['first', 'second'])
    await clock.advance(1)
    expect(ran).toEqual(['first', 'second', 'third'])
  })

  it('lets promises settle between two tasks, and stands still when told to stop', async () => {
    const clock = new VirtualClock()
    let settled = 0
    for (let i = 0; i < 3; i++)
      clock.schedule(i, () => {
        void Promise.resolve()
          .then(() => {})
          .then(() => settled++)
      })
    await clock.advance(10, () => settled === 2)
    expect([settled, clock.nowMs()]).toEqual([2, 1])
    await clock.advance(9)
    expect([settled, clock.nowMs()]).toEqual([3, 10])
  })
})
