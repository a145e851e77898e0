import { toJson } from '../../base/encoding/json.js'
import type { Hex } from '../../base/primitives/bytes.js'
import type { Height } from '../../base/primitives/quantities.js'
import { headerToJson } from '../../io/execution/embedded/queries/block-json.js'
import { type LogFilter, termsOf } from '../../io/execution/embedded/queries/log-filter.js'
import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'
import type { HeadChange } from '../../io/execution/execution-client.js'
import { logsOf } from './head-logs.js'
import { hostWithMost } from './host-with-most.js'
import { LogWatchers } from './log-watchers.js'
import { PacedEvents } from './paced-events.js'
import type { PacedWork } from './paced-work.js'
import { pooledToJson } from './pooled-transaction-json.js'
import { randomId } from './random-id.js'
import type { RpcConfig } from './rpc-config.js'
import type { Subscriber } from './rpc-method.js'
import type { HeadSource, NetworkStatus, PooledTransaction, TransactionPool } from './rpc-ports.js'
import { syncingJson } from './syncing-json.js'

/** What a subscription is told. */
export type Topic =
  | { readonly kind: 'newHeads' }
  | { readonly kind: 'logs'; readonly filter: LogFilter }
  | { readonly kind: 'newPendingTransactions'; readonly isFull: boolean }
  | { readonly kind: 'syncing' }

interface Subscription {
  readonly id: Hex
  readonly topic: Topic
  readonly subscriber: Subscriber
  /** The event before its first. */
  readonly after: number
  /** Notifications held back until the answer with the id is sent and those before them; null afterwards. */
  held: string[] | null
}

/** What a notification, or a look at what concerns nobody, takes: as long as this many bytes of text. */
const notificationCost = 1_000
const lookCost = 20
/** From so many bytes on a waiting transaction is large: it has twice as many characters. */
const largeBytes = 4_096

/**
 * Turns heads and waiting transactions into notifications; each text is made once for all subscribers. Those of an event go out
 * in steps, in the order of events for each subscription.
 */
export class SubscriptionHub {
  private readonly byKind = {
    newHeads: new Map<Hex, Subscription>(),
    newPendingTransactions: new Map<Hex, Subscription>(),
    syncing: new Map<Hex, Subscription>(),
  }
  private readonly logWatchers = new LogWatchers<Subscription>()
  private logSubscriptions = 0
  /** Addresses and topics that all subscriptions name. */
  allTerms = 0
  private readonly bySubscriber = new Map<Subscriber, Map<Hex, Subscription>>()
  private readonly stops: readonly (() => void)[]
  private wasSyncing: boolean
  private events = 0
  private readonly paced: PacedEvents<'heads' | 'logs' | 'transactions'>

  constructor(
    private readonly options: {
      heads: HeadSource
      mempool: Pick<TransactionPool, 'onPending'>
      network: Pick<NetworkStatus, 'syncing'>
      config: Pick<RpcConfig, 'maxLogNotificationsPerConnection' | 'maxLogNotificationsPerHost'>
      work: Pick<PacedWork<'heads' | 'logs' | 'transactions' | 'held'>, 'add'>
    },
  ) {
    this.wasSyncing = options.network.syncing() !== null
    this.paced = new PacedEvents(options.work, () => this.relieve())
    this.stops = [
      options.heads.onHead(change => this.onHead(change)),
      options.mempool.onPending(transactions => this.onPending(transactions)),
    ]
  }

  /** Subscriptions of one connection. */
  count(subscriber: Subscriber): number {
    return this.bySubscriber.get(subscriber)?.size ?? 0
  }

  /** Subscriptions of these connections together. */
  countOf(isCounted: (subscriber: Subscriber) => boolean): number {
    let count = 0
    for (const [subscriber, own] of this.bySubscriber) if (isCounted(subscriber)) count += own.size
    return count
  }

  /** Addresses and topics that the subscriptions of one connection name. */
  terms(subscriber: Subscriber): number {
    let terms = 0
    for (const { topic } of this.bySubscriber.get(subscriber)?.values() ?? [])
      if (topic.kind === 'logs') terms += termsOf(topic.filter)
    return terms
  }

  /** Ends the connection with most of the host with most, to make room for another one; false when that would have as much. */
  makeRoom(
    newcomer: { readonly host: string | null; readonly wants: number },
    amountOf: (subscriber: Subscriber) => number,
  ): boolean {
    const held = [...this.bySubscriber.keys()]
    const most = hostWithMost(
      held.map(subscriber => [subscriber.host, amountOf(subscriber)]),
      newcomer,
    )
    if (most === null) return false
    const ofMost = held.filter(({ host }) => host === most)
    const greediest = ofMost.reduce((a, b) => (amountOf(b) > amountOf(a) ? b : a))
    this.giveUp(greediest, 'its host has most subscriptions, and all too many')
    return true
  }

  /** Begins a subscription; its notifications wait for `activate`. */
  subscribe(subscriber: Subscriber, topic: Topic): Hex {
    const subscription: Subscription = { id: randomId(), topic, subscriber, after: this.events, held: [] }
    if (topic.kind === 'logs') {
      this.logWatchers.add(subscription, topic.filter)
      this.logSubscriptions++
      this.allTerms += termsOf(topic.filter)
    } else this.byKind[topic.kind].set(subscription.id, subscription)
    const own = this.bySubscriber.get(subscriber) ?? new Map<Hex, Subscription>()
    this.bySubscriber.set(subscriber, own.set(subscription.id, subscription))
    return subscription.id
  }

  /** Lets the notifications flow: the caller knows the id now. */
  activate(subscriber: Subscriber, id: Hex): void {
    const subscription = this.bySubscriber.get(subscriber)?.get(id)
    if (subscription?.held?.length === 0) subscription.held = null
    else if (subscription) this.options.work.add('held', tellHeld(subscription))
  }

  /** Ends one subscription of this connection; false when it has no such. */
  unsubscribe(subscriber: Subscriber, id: Hex): boolean {
    const own = this.bySubscriber.get(subscriber)
    const subscription = own?.get(id)
    if (!own || !subscription) return false
    own.delete(id)
    if (own.size === 0) this.bySubscriber.delete(subscriber)
    for (const text of subscription.held ?? []) subscriber.holdBack(-text.length)
    subscription.held = null
    const { topic } = subscription
    if (topic.kind === 'logs') {
      this.logWatchers.remove(subscription, topic.filter)
      this.logSubscriptions--
      this.allTerms -= termsOf(topic.filter)
    } else this.byKind[topic.kind].delete(id)
    return true
  }

  /** Ends all subscriptions of a connection that is gone. */
  drop(subscriber: Subscriber): void {
    for (const id of [...(this.bySubscriber.get(subscriber)?.keys() ?? [])]) this.unsubscribe(subscriber, id)
  }

  close(): void {
    for (const stop of this.stops) stop()
  }

  private onHead(change: HeadChange): void {
    const event = ++this.events
    const { hash, header } = change.block
    const { newHeads } = this.byKind
    if (newHeads.size > 0)
      this.paced.add('heads', notificationCost, tellAll(newHeads, { event, text: toJson(headerToJson(hash, header)) }))
    const logs = logsOf(change)
    if (this.logSubscriptions > 0 && logs.length > 0) {
      const bytes = logs.reduce((sum, { data }) => sum + notificationCost + data.length, 0)
      this.paced.add('logs', bytes, this.tellLogs(logs, { height: header.number, event }))
    }
    this.onSyncing(event)
  }

  private onSyncing(event: number): void {
    const progress = this.options.network.syncing()
    const isSyncing = progress !== null
    if (isSyncing === this.wasSyncing) return
    this.wasSyncing = isSyncing
    const text = toJson(progress ? { syncing: true, status: syncingJson(progress) } : false)
    this.paced.add('heads', notificationCost, tellAll(this.byKind.syncing, { event, text }))
  }

  private onPending(transactions: readonly PooledTransaction[]): void {
    if (this.byKind.newPendingTransactions.size === 0) return
    const event = ++this.events
    const bytes = transactions.reduce((sum, { raw }) => sum + notificationCost + raw.length, 0)
    this.paced.add('transactions', bytes, this.tellPending(transactions, event))
  }

  /** Gives up those with most subscriptions, until half of all are gone. */
  private relieve(): void {
    let tooMany = this.countOf(() => true) / 2
    for (const [subscriber, { size }] of [...this.bySubscriber].sort(([, a], [, b]) => b.size - a.size)) {
      if (tooMany <= 0) return
      tooMany -= size
      this.giveUp(subscriber, 'too many subscriptions for what there is to tell')
    }
  }

  private giveUp(subscriber: Subscriber, reason: string): void {
    subscriber.disconnect(reason)
    this.drop(subscriber)
  }

  private *tellLogs(
    logs: readonly LogJson[],
    { height, event }: { height: Height; event: number },
  ): Generator<number, void> {
    const told = new Map<Subscriber | string, number>()
    const count = (who: Subscriber | string): number => {
      const sum = (told.get(who) ?? 0) + 1
      told.set(who, sum)
      return sum
    }
    const { config } = this.options
    // Every log once is never too much.
    const most = Math.max(config.maxLogNotificationsPerConnection, logs.length)
    const mostOfHost = Math.max(config.maxLogNotificationsPerHost, logs.length)
    for (const log of logs) {
      let text: string | undefined
      for (const subscription of this.logWatchers.of(log, height)) {
        const { subscriber, after } = subscription
        if (after >= event) continue
        if (count(subscriber) > most || (subscriber.host !== null && count(subscriber.host) > mostOfHost)) {
          this.giveUp(subscriber, 'too many logs of one block for all its subscriptions')
          continue
        }
        text ??= toJson(log)
        yield deliver(subscription, text)
      }
      yield lookCost
    }
  }

  private *tellPending(transactions: readonly PooledTransaction[], event: number): Generator<number, void> {
    for (const pooled of transactions) {
      const hashText = `"${pooled.hash}"`
      let fullText: string | undefined
      for (const subscription of this.byKind.newPendingTransactions.values()) {
        const { topic, subscriber, after, held } = subscription
        if (after >= event) continue
        if (topic.kind === 'newPendingTransactions' && topic.isFull) {
          // It can be asked for by its hash, and will be in a block: nothing to fall further behind for.
          if (pooled.raw.length > largeBytes && (held !== null || subscriber.isBehind)) {
            yield lookCost
            continue
          }
          fullText ??= toJson(pooledToJson(pooled))
          yield deliver(subscription, fullText)
        } else yield deliver(subscription, hashText)
      }
    }
  }
}

function* tellAll(
  subscriptions: ReadonlyMap<Hex, Subscription>,
  { event, text }: { event: number; text: string },
): Generator<number, void> {
  for (const subscription of subscriptions.values()) if (subscription.after < event) yield deliver(subscription, text)
}

/** Tells what was held back, and what is while this goes on. */
function* tellHeld(subscription: Subscription): Generator<number, void> {
  const { subscriber, held } = subscription
  for (let at = 0; subscription.held !== null && at < held!.length; at++) {
    const text = held![at]!
    held![at] = ''
    subscriber.holdBack(-text.length)
    subscriber.notify(text)
    yield notificationCost + text.length
  }
  subscription.held = null
}

/** Returns what it cost. */
function deliver({ id, held, subscriber }: Subscription, result: string): number {
  const text = `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${id}","result":${result}}}`
  if (!held) subscriber.notify(text)
  else if (subscriber.holdBack(text.length)) held.push(text)
  return notificationCost + text.length
}
