import { type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import { bloomTest, type LogFilter, matchesFilter } from '../../io/execution/embedded/queries/log-filter.js'
import type { HeadChange } from '../../io/execution/execution-client.js'
import type { Clock } from '../../io/time/clock.js'
import { isInRange, logsOf } from './head-logs.js'
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
  readonly mayMatch: (bloom: Uint8Array) => boolean
  entries: unknown[]
  expiresMs: number
}

const always = () => true

/** Collects what polled filters ask for, until it is fetched or nobody asked for `filterLifetimeMs`. */
export class FilterRegistry {
  private readonly filters = new Map<Hex, Filter>()
  private readonly stops: readonly (() => void)[]
  private transactionFilters = 0

  constructor(
    private readonly options: {
      config: Pick<RpcConfig, 'maxFilters' | 'maxFilterEntries' | 'filterLifetimeMs'>
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

  /** Installs a filter; null when there are too many. */
  install(topic: FilterTopic): Hex | null {
    this.removeExpired()
    if (this.filters.size >= this.options.config.maxFilters) return null
    const id = randomId()
    const mayMatch = topic.kind === 'logs' ? bloomTest(topic.filter) : always
    this.filters.set(id, { topic, mayMatch, entries: [], expiresMs: this.newExpiry() })
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
    if (filter.topic.kind === 'transactions') this.transactionFilters--
    return this.filters.delete(id)
  }

  close(): void {
    for (const stop of this.stops) stop()
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
    const bloom = hexToBytes(header.logsBloom)
    for (const [id, { topic, mayMatch }] of this.filters) {
      if (topic.kind === 'blocks') this.append(id, hash)
      if (topic.kind !== 'logs' || change.logs.length === 0) continue
      if (!isInRange(topic.filter, header.number) || !mayMatch(bloom)) continue
      for (const log of logsOf(change)) if (matchesFilter(topic.filter, log)) this.append(id, log)
    }
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
