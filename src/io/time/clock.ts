/** Time as services see it; the simulation provides a virtual one. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
  /** Runs `task` once after `delayMs`, by `nowMs` unless that was set back meanwhile; the returned function cancels it. */
  schedule(delayMs: number, task: () => void): () => void
  /** Runs `task` once all that is due now has had its turn. */
  soon(task: () => void): void
}

/** Resolves after `delayMs`, or at once when the signal aborts. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const finish = () => {
      cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = clock.schedule(delayMs, finish)
    signal?.addEventListener('abort', finish, { once: true })
  })
}
