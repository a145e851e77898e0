import type { Clock } from './clock.js'

/** By how much timers, which count on their own, may be ahead of the clock: one that was set back is not waited for. */
const aheadMs = 20

/** The machine's clock, and timers that keep to it. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  schedule(delayMs, task) {
    const dueMs = Date.now() + delayMs
    const fire = () => {
      const leftMs = dueMs - Date.now()
      if (leftMs > 0 && leftMs <= aheadMs) timer = setTimeout(fire, leftMs)
      else task()
    }
    let timer = setTimeout(fire, Math.max(0, delayMs))
    return () => clearTimeout(timer)
  },
  soon(task) {
    setImmediate(task)
  },
}
