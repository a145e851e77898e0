import type { Clock } from '../../io/time/clock.js'

/** Milliseconds between polls of L1 while somebody waits for it. */
const pollMs = 50

/**
 * Resolves at the next change of a view of L1, or after `limitMs`. L1 is polled at once and again while the wait lasts; a poll
 * that does not come back holds up nothing.
 */
export function nextView({
  l1,
  clock,
  limitMs,
}: {
  l1: { onChange(listener: () => void): () => void; refresh(): Promise<void> }
  clock: Clock
  limitMs: number
}): Promise<void> {
  return new Promise(resolve => {
    let over = false
    let cancelPoll = () => {}
    const finish = () => {
      over = true
      unsubscribe()
      cancelLimit()
      cancelPoll()
      resolve()
    }
    const poll = () =>
      void l1.refresh().then(() => {
        if (!over) cancelPoll = clock.schedule(pollMs, poll)
      })
    const unsubscribe = l1.onChange(finish)
    const cancelLimit = clock.schedule(limitMs, finish)
    poll()
  })
}
