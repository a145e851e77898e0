import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from './system-clock.js'

const { setTimeout: realTimeout } = globalThis
afterEach(() => vi.restoreAllMocks())

/** The next timer fires after so long, whatever it was asked for. */
function nextTimerAfter(ms: number): void {
  const early = ((task: () => void) => realTimeout(task, ms)) as typeof setTimeout
  vi.spyOn(globalThis, 'setTimeout').mockImplementationOnce(early)
}

const fired = (delayMs: number) =>
  new Promise<number>(resolve => systemClock.schedule(delayMs, () => resolve(systemClock.nowMs())))

describe('the system clock', () => {
  it('runs no task before its time, though the timer fires before', async () => {
    const began = systemClock.nowMs()
    nextTimerAfter(0)
    expect(await fired(15)).toBeGreaterThanOrEqual(began + 15)
  })

  it('does not wait for a clock that was set back', async () => {
    nextTimerAfter(0)
    const began = performance.now()
    await fired(3_600_000)
    expect(performance.now() - began).toBeLessThan(60_000)
  })

  it('cancels a task, also when its timer was early', async () => {
    let runs = 0
    nextTimerAfter(0)
    const cancel = systemClock.schedule(15, () => runs++)
    await new Promise(resolve => realTimeout(resolve, 5))
    cancel()
    await new Promise(resolve => realTimeout(resolve, 40))
    expect(runs).toBe(0)
  })
})
