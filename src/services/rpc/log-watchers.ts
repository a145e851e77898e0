import type { Height } from '../../base/primitives/quantities.js'
import { type LogFilter, matchesFilter } from '../../io/execution/embedded/queries/log-filter.js'
import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'

type Watchers<Watcher> = Map<Watcher, LogFilter>

/**
 * Finds who watches a log by what their filters name, so that a log costs what it concerns, however many filters there are
 * and however many addresses they name.
 */
export class LogWatchers<Watcher> {
  /** By an address (at 0) or a topic of a position (from 1): each filter is at the first place of which it names values. */
  private readonly places: Map<string, Watchers<Watcher>>[] = []
  /** Those whose filters name nothing. */
  private readonly ofAll: Watchers<Watcher> = new Map()

  add(watcher: Watcher, filter: LogFilter): void {
    const named = firstNamed(filter)
    if (named === null) return void this.ofAll.set(watcher, filter)
    this.places[named.place] ??= new Map()
    const byValue = this.places[named.place]!
    for (const value of named.values) {
      const watchers = byValue.get(value)
      if (watchers) watchers.set(watcher, filter)
      else byValue.set(value, new Map([[watcher, filter]]))
    }
  }

  remove(watcher: Watcher, filter: LogFilter): void {
    const named = firstNamed(filter)
    if (named === null) return void this.ofAll.delete(watcher)
    const byValue = this.places[named.place]
    for (const value of named.values) {
      const watchers = byValue?.get(value)
      watchers?.delete(watcher)
      if (watchers?.size === 0) byValue?.delete(value)
    }
  }

  /** Whose filters let through this log of a block of this height, each once. */
  *of(log: LogJson, height: Height): Generator<Watcher> {
    const values = [log.address, ...log.topics]
    for (const watchers of [this.ofAll, ...values.map((value, place) => this.places[place]?.get(value))])
      for (const [watcher, filter] of watchers ?? [])
        if (isInRange(filter, height) && matchesFilter(filter, log)) yield watcher
  }
}

/** The first place of which the filter names values, one of which a log must have there to pass. */
function firstNamed({ addresses, topics }: LogFilter): { place: number; values: ReadonlySet<string> } | null {
  const wanted: readonly ReadonlySet<string>[] = [addresses, ...topics]
  const place = wanted.findIndex(({ size }) => size > 0)
  return place < 0 ? null : { place, values: wanted[place]! }
}

/** Whether a new head of this height is within the filter's numbers; tags stand for no bound. */
function isInRange({ fromBlock, toBlock }: LogFilter, height: Height): boolean {
  if (fromBlock?.by === 'number' && height < fromBlock.number) return false
  return !(toBlock?.by === 'number' && height > toBlock.number)
}
