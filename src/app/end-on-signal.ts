import { onParentGone } from './on-parent-gone.js'

/** Signals that follow the first within this are the same: npx passes on to its child what the terminal sent to both. */
const sameSignalMs = 1_000

/**
 * Stops the process at the first SIGINT or SIGTERM, or when the program that started it is gone, and ends it: with 0, or with 1
 * when `stop` rejects. A later signal ends it at once, with 1.
 */
export function endOnSignal(stop: () => Promise<void>): void {
  let stoppingSinceMs: number | null = null
  const end = () => {
    if (stoppingSinceMs !== null) return
    stoppingSinceMs = performance.now()
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stoppingSinceMs !== null && performance.now() - stoppingSinceMs > sameSignalMs) process.exit(1)
      end()
    })
  }
  onParentGone(end)
}
