import type { Height } from '../../base/primitives/quantities.js'
import { type LogFilter, matchesFilter } from '../../io/execution/embedded/queries/log-filter.js'
import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'

const anything = 'anything'

/**
 * Finds who watches a log by what their filters name, so that a log costs what it concerns, however many filters there are
 * and however many addresses they name.
 */
export class LogWatchers<Watcher> {
  private readonly byName = new Map<string, Map<Watcher, LogFilter>>()

  add(watcher: Watcher, filter: LogFilter): void {
    for (const name of namesOf(filter)) {
      const watchers = this.byName.get(name)
      if (watchers) watchers.set(watcher, filter)
      else this.byName.set(name, new Map([[watcher, filter]]))
    }
  }

  remove(watcher: Watcher, filter: LogFilter): void {
    for (const name of namesOf(filter)) {
      const watchers = this.byName.get(name)
      watchers?.delete(watcher)
      if (watchers?.size === 0) this.byName.delete(name)
    }
  }

  /** Whose filters let through this log of a block of this height. */
  *of(log: LogJson, height: Height): Generator<Watcher> {
    for (const name of new Set([log.address, ...log.topics, anything]))
      for (const [watcher, filter] of this.byName.get(name) ?? [])
        if (isInRange(filter, height) && matchesFilter(filter, log)) yield watcher
  }
}

/** The addresses, or the topics of one position, of which a log must have one to pass the filter. */
function namesOf({ addresses, topics }: LogFilter): Iterable<string> {
  return [addresses, ...topics].find(names => names.size > 0) ?? [anything]
}

/** Whether a new head of this height is within the filter's numbers; tags stand for no bound. */
function isInRange({ fromBlock, toBlock }: LogFilter, height: Height): boolean {
  if (fromBlock?.by === 'number' && height < fromBlock.number) return false
  return !(toBlock?.by === 'number' && height > toBlock.number)
}
