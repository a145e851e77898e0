import type { Hex } from '../../base/primitives/bytes.js'
import { type LogFilter, termsOf } from '../../io/execution/embedded/queries/log-filter.js'
import type { HeadChange } from '../../io/execution/execution-client.js'
import type { Clock } from '../../io/time/clock.js'
import { logsOf } from './head-logs.js'
import { LogWatchers } from './log-watchers.js'
import { randomId } from './random-id.js'
import type { RpcConfig } from './rpc-config.js'
import type { HeadSource, PooledTransaction, TransactionPool } from './rpc-ports.js'

/** What a polled filter collects. */
export type FilterTopic =
  | { readonly kind: 'blocks' }
  | { readonly kind: 'transactions' }
  /** `criteria` is what the caller gave, to be asked again by eth_getFilterLogs. */
  | { readonly kind: 'logs'; readonly filter: LogFilter; readonly criteria: unknown }

interface Filter {
  readonly topic: FilterTopic
  entries: unknown[]
  expiresMs: number
}

/** Collects what polled filters ask for, until it is fetched or nobody asked for `filterLifetimeMs`. */
export class FilterRegistry {
  private readonly filters = new Map<Hex, Filter>()
  private readonly logWatchers = new LogWatchers<Hex>()
  private readonly stops: readonly (() => void)[]
  private transactionFilters = 0

  constructor(
    private readonly options: {
      config: Pick<RpcConfig, 'maxFilters' | 'maxFilterTerms' | 'maxFilterEntries' | 'filterLifetimeMs'>
      heads: HeadSource
      mempool: Pick<TransactionPool, 'onPending'>
      clock: Pick<Clock, 'nowMs'>
    },
  ) {
    this.stops = [
      options.heads.onHead(change => this.onHead(change)),
      options.mempool.onPending(transactions => this.onPending(transactions)),
    ]
  }

  /** Installs a filter; null when there are too many, or they name too much. */
  install(topic: FilterTopic): Hex | null {
    this.removeExpired()
    const { maxFilters, maxFilterTerms } = this.options.config
    if (this.filters.size >= maxFilters) return null
    const id = randomId()
    if (topic.kind === 'logs') {
      if (this.terms() + termsOf(topic.filter) > maxFilterTerms) return null
      this.logWatchers.add(id, topic.filter)
    }
    this.filters.set(id, { topic, entries: [], expiresMs: this.newExpiry() })
    if (topic.kind === 'transactions') this.transactionFilters++
    return id
  }

  /** What the filter collects, or null when there is no such filter; asking keeps it alive. */
  topic(id: Hex): FilterTopic | null {
    return this.touch(id)?.topic ?? null
  }

  /** Everything since the last time, or null when there is no such filter. */
  changes(id: Hex): readonly unknown[] | null {
    const filter = this.touch(id)
    if (!filter) return null
    const { entries } = filter
    filter.entries = []
    return entries
  }

  /** Whether there was such a filter. */
  uninstall(id: Hex): boolean {
    const filter = this.filters.get(id)
    if (!filter) return false
    const { topic } = filter
    if (topic.kind === 'transactions') this.transactionFilters--
    if (topic.kind === 'logs') this.logWatchers.remove(id, topic.filter)
    return this.filters.delete(id)
  }

  close(): void {
    for (const stop of this.stops) stop()
  }

  private terms(): number {
    let terms = 0
    for (const { topic } of this.filters.values()) if (topic.kind === 'logs') terms += termsOf(topic.filter)
    return terms
  }

  private touch(id: Hex): Filter | null {
    this.removeExpired()
    const filter = this.filters.get(id)
    if (!filter) return null
    filter.expiresMs = this.newExpiry()
    return filter
  }

  private newExpiry(): number {
    return this.options.clock.nowMs() + this.options.config.filterLifetimeMs
  }

  private removeExpired(): void {
    const nowMs = this.options.clock.nowMs()
    for (const [id, filter] of this.filters) if (filter.expiresMs <= nowMs) this.uninstall(id)
  }

  private onHead(change: HeadChange): void {
    if (this.filters.size === 0) return
    this.removeExpired()
    const { hash, header } = change.block
    for (const [id, { topic }] of this.filters) if (topic.kind === 'blocks') this.append(id, hash)
    for (const log of logsOf(change)) for (const id of this.logWatchers.of(log, header.number)) this.append(id, log)
  }

  private onPending(transactions: readonly PooledTransaction[]): void {
    if (this.transactionFilters === 0) return
    for (const [id, { topic }] of this.filters)
      if (topic.kind === 'transactions') for (const { hash } of transactions) this.append(id, hash)
  }

  // A filter that lost entries would lie, so one that is full goes: its owner hears 'filter not found'.
  private append(id: Hex, entry: unknown): void {
    const filter = this.filters.get(id)
    if (!filter) return
    if (filter.entries.length < this.options.config.maxFilterEntries) filter.entries.push(entry)
    else this.uninstall(id)
  }
}
