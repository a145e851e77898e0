import { JsonText, toJson } from '../../base/encoding/json.js'
import type { Hex } from '../../base/primitives/bytes.js'
import { invariant } from '../../base/primitives/invariant.js'
import { type LogFilter, termsOf } from '../../io/execution/embedded/queries/log-filter.js'
import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'
import type { HeadChange } from '../../io/execution/execution-client.js'
import type { Clock } from '../../io/time/clock.js'
import { logsOf } from './head-logs.js'
import { hostWithMost } from './host-with-most.js'
import { LogWatchers } from './log-watchers.js'
import { PacedEvents } from './paced-events.js'
import type { PacedWork, Steps } from './paced-work.js'
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
  /** Of who installed it; null on loopback. */
  readonly host: string | null
  /** The event before its first. */
  readonly after: number
  /** As JSON. */
  entries: string[]
  /** Of the entries. */
  bytes: number
  expiresMs: number
}

/** What an entry takes besides its text, and how long it takes to add, as bytes of text. */
const entryBytes = 64

/** What a look at a log takes that concerns no filter. */
const lookCost = 20

/** Collects what polled filters ask for, until it is fetched or nobody asked for `filterLifetimeMs`. */
export class FilterRegistry {
  private readonly filters = new Map<Hex, Filter>()
  private readonly logWatchers = new LogWatchers<Hex>()
  private readonly stops: readonly (() => void)[]
  private transactionFilters = 0
  private heldBytes = 0
  private events = 0
  private readonly paced: PacedEvents<'filters'>

  constructor(
    private readonly options: {
      config: Pick<
        RpcConfig,
        | 'maxFilters'
        | 'maxFiltersPerHost'
        | 'maxFilterTerms'
        | 'maxFilterTermsPerHost'
        | 'maxFilterEntries'
        | 'maxFilterBytes'
        | 'maxFilterBytesOfAll'
        | 'maxFilterAnswerBytes'
        | 'filterLifetimeMs'
      >
      heads: HeadSource
      mempool: Pick<TransactionPool, 'onPending'>
      clock: Pick<Clock, 'nowMs'>
      work: Pick<PacedWork<'filters'>, 'add'>
    },
  ) {
    this.paced = new PacedEvents(options.work, () => this.relieve())
    this.stops = [
      options.heads.onHead(change => this.onHead(change)),
      options.mempool.onPending(transactions => this.onPending(transactions)),
    ]
  }

  /**
   * Installs a filter; null when its host has too many, or they name too much. When all have too many, those of the host with
   * most give way that nobody asked for longest; null when that is this one. A null host has no share of its own.
   */
  install(topic: FilterTopic, host: string | null): Hex | null {
    this.removeExpired()
    const { maxFilters, maxFiltersPerHost, maxFilterTerms, maxFilterTermsPerHost } = this.options.config
    const ofHost = host === null ? [] : [...this.filters.values()].filter(filter => filter.host === host)
    const terms = topic.kind === 'logs' ? termsOf(topic.filter) : 0
    if (ofHost.length >= maxFiltersPerHost) return null
    if (host !== null && sumOf(ofHost, termsIn) + terms > maxFilterTermsPerHost) return null
    if (!this.makeRoom({ max: maxFilters, host, wants: 1 }, () => 1)) return null
    if (terms > 0 && !this.makeRoom({ max: maxFilterTerms, host, wants: terms }, termsIn)) return null
    const id = randomId()
    if (topic.kind === 'logs') this.logWatchers.add(id, topic.filter)
    const expiresMs = this.newExpiry()
    this.filters.set(id, { id, topic, host, after: this.events, entries: [], bytes: 0, expiresMs })
    if (topic.kind === 'transactions') this.transactionFilters++
    return id
  }

  /** What the filter collects, or null when there is no such filter; asking keeps it alive. */
  topic(id: Hex): FilterTopic | null {
    return this.touch(id)?.topic ?? null
  }

  /** What came since the last time and one answer may have, as a list; null when there is no such filter. */
  changes(id: Hex): JsonText | null {
    const filter = this.touch(id)
    if (!filter) return null
    const { entries } = filter
    let count = 0
    let bytes = 0
    for (const entry of entries) {
      if (count > 0 && bytes + bytesOf(entry) > this.options.config.maxFilterAnswerBytes) break
      bytes += bytesOf(entry)
      count++
    }
    this.heldBytes -= bytes
    filter.bytes -= bytes
    return new JsonText(`[${entries.splice(0, count).join(',')}]`)
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

  /** Whether all together may have what the host wants, once others gave way. */
  private makeRoom(
    { max, host, wants }: { max: number; host: string | null; wants: number },
    amountOf: (filter: Filter) => number,
  ): boolean {
    for (;;) {
      const filters = [...this.filters.values()]
      if (sumOf(filters, amountOf) + wants <= max) return true
      const most = hostWithMost(
        filters.map(filter => [filter.host, amountOf(filter)]),
        { host, wants },
      )
      if (most === null) return false
      const idle = filters
        .filter(filter => filter.host === most && amountOf(filter) > 0)
        .reduce((a, b) => (b.expiresMs < a.expiresMs ? b : a))
      this.uninstall(idle.id)
    }
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
    const event = ++this.events
    const logs = logsOf(change)
    const bytes = logs.reduce((sum, { data }) => sum + entryBytes + data.length, entryBytes)
    this.paced.add('filters', bytes, this.appendHead(change.block, { logs, event }))
  }

  private onPending(transactions: readonly PooledTransaction[]): void {
    if (this.transactionFilters === 0) return
    const hashes = transactions.map(({ hash }) => hash)
    this.paced.add('filters', entryBytes * hashes.length, this.appendHashes('transactions', hashes, ++this.events))
  }

  private *appendHead(
    { hash, header }: HeadChange['block'],
    { logs, event }: { logs: readonly LogJson[]; event: number },
  ): Steps {
    yield* this.appendHashes('blocks', [hash], event)
    for (const log of logs) {
      let text: string | undefined
      for (const id of this.logWatchers.of(log, header.number)) {
        if (text === undefined) {
          text = toJson(log)
          yield text.length
        }
        yield this.append(id, text, event)
      }
      yield lookCost
    }
  }

  private *appendHashes(kind: 'blocks' | 'transactions', hashes: readonly Hex[], event: number): Steps {
    for (const hash of hashes) {
      const text = `"${hash}"`
      for (const [id, { topic }] of this.filters) if (topic.kind === kind) yield this.append(id, text, event)
      yield lookCost
    }
  }

  // A filter that lost entries would lie, so one that is full goes: its owner hears 'filter not found'.
  private append(id: Hex, text: string, event: number): number {
    const filter = this.filters.get(id)
    if (!filter || filter.after >= event) return lookCost
    const { maxFilterEntries, maxFilterBytes, maxFilterBytesOfAll } = this.options.config
    const bytes = bytesOf(text)
    filter.entries.push(text)
    filter.bytes += bytes
    this.heldBytes += bytes
    if (filter.entries.length > maxFilterEntries || filter.bytes > maxFilterBytes) this.uninstall(id)
    while (this.heldBytes > maxFilterBytesOfAll) this.uninstall(this.fullest())
    return entryBytes
  }

  /** Those that were there first stay. */
  private relieve(): void {
    const ids = [...this.filters.keys()]
    for (const id of ids.slice(ids.length >> 1)) this.uninstall(id)
  }

  private fullest(): Hex {
    let fullest: Filter | null = null
    for (const filter of this.filters.values()) if (!fullest || filter.bytes > fullest.bytes) fullest = filter
    invariant(fullest, 'bytes are held by a filter', { bytes: this.heldBytes })
    return fullest.id
  }
}

const bytesOf = (text: string): number => entryBytes + text.length

const termsIn = ({ topic }: Filter): number => (topic.kind === 'logs' ? termsOf(topic.filter) : 0)

const sumOf = (filters: readonly Filter[], amountOf: (filter: Filter) => number): number =>
  filters.reduce((sum, filter) => sum + amountOf(filter), 0)
