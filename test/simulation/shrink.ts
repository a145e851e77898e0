import type { FaultEvent } from './fault-schedule.js'

/**
 * Fewer faults that still fail (delta debugging, Zeller and Hildebrandt 2002): drops ever smaller parts of the list as long
 * as the rest fails, until no single fault can go or the tries are used up.
 */
export async function shrinkEvents({
  events,
  stillFails,
  maxTries,
}: {
  events: readonly FaultEvent[]
  stillFails: (events: readonly FaultEvent[]) => Promise<boolean>
  maxTries: number
}): Promise<readonly FaultEvent[]> {
  let kept = events
  let tries = 0
  if (kept.length > 0 && (await stillFails([]))) return []
  for (let parts = 2; kept.length > 1 && tries < maxTries; ) {
    const length = Math.ceil(kept.length / parts)
    let smaller: readonly FaultEvent[] | null = null
    for (let at = 0; at < kept.length && !smaller && tries < maxTries; at += length) {
      const without = [...kept.slice(0, at), ...kept.slice(at + length)]
      tries++
      if (await stillFails(without)) smaller = without
    }
    if (smaller) {
      kept = smaller
      parts = Math.max(2, parts - 1)
    } else if (length === 1) break
    else parts = Math.min(kept.length, 2 * parts)
  }
  return kept
}
