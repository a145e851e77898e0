import type { Hex } from '../../base/primitives/bytes.js'
import { invariant } from '../../base/primitives/invariant.js'
import { type LogFilter, termsOf } from '../../io/execution/embedded/queries/log-filter.js'
import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'
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
  readonly id: Hex
  readonly topic: FilterTopic
  entries: unknown[]
  /** Of the entries. */
  bytes: number
  expiresMs: number
}

/** What an entry takes besides its text. */
const entryBytes = 64

/** Collects what polled filters ask for, until it is fetched or nobody asked for `filterLifetimeMs`. */
export class FilterRegistry {
  private readonly filters = new Map<Hex, Filter>()
  private readonly logWatchers = new LogWatchers<Hex>()
  private readonly stops: readonly (() => void)[]
  private transactionFilters = 0
  private heldBytes = 0

  constructor(
    private readonly options: {
      config: Pick<
        RpcConfig,
        | 'maxFilters'
        | 'maxFilterTerms'
        | 'maxFilterEntries'
        | 'maxFilterBytes'
        | 'maxFilterBytesOfAll'
        | 'filterLifetimeMs'
      >
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
    this.filters.set(id, { id, topic, entries: [], bytes: 0, expiresMs: this.newExpiry() })
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
    this.heldBytes -= filter.bytes
    filter.entries = []
    filter.bytes = 0
    return entries
  }

  /** Whether there was such a filter. */
  uninstall(id: Hex): boolean {
    const filter = this.filters.get(id)
    if (!filter) return false
    const { topic, bytes } = filter
    this.heldBytes -= bytes
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
    this.appendHashes('blocks', [hash])
    for (const log of logsOf(change)) {
      const bytes = bytesOf(log)
      for (const id of this.logWatchers.of(log, header.number)) this.append(id, log, bytes)
    }
  }

  private onPending(transactions: readonly PooledTransaction[]): void {
    if (this.transactionFilters === 0) return
    this.appendHashes(
      'transactions',
      transactions.map(({ hash }) => hash),
    )
  }

  private appendHashes(kind: 'blocks' | 'transactions', hashes: readonly Hex[]): void {
    for (const [id, { topic }] of this.filters)
      if (topic.kind === kind) for (const hash of hashes) this.append(id, hash, entryBytes + hash.length)
  }

  // A filter that lost entries would lie, so one that is full goes: its owner hears 'filter not found'.
  private append(id: Hex, entry: unknown, bytes: number): void {
    const filter = this.filters.get(id)
    if (!filter) return
    const { maxFilterEntries, maxFilterBytes, maxFilterBytesOfAll } = this.options.config
    filter.entries.push(entry)
    filter.bytes += bytes
    this.heldBytes += bytes
    if (filter.entries.length > maxFilterEntries || filter.bytes > maxFilterBytes) this.uninstall(id)
    while (this.heldBytes > maxFilterBytesOfAll) this.uninstall(this.fullest())
  }

  private fullest(): Hex {
    let fullest: Filter | null = null
    for (const filter of this.filters.values()) if (!fullest || filter.bytes > fullest.bytes) fullest = filter
    invariant(fullest, 'bytes are held by a filter', { bytes: this.heldBytes })
    return fullest.id
  }
}

/** Some 500 for the fields of fixed length and the object itself. */
function bytesOf({ topics, data }: LogJson): number {
  return 500 + topics.length * (entryBytes + 66) + data.length
}
