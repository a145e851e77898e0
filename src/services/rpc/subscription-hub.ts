import { toJson } from '../../base/encoding/json.js'
import type { Hex } from '../../base/primitives/bytes.js'
import { headerToJson } from '../../io/execution/embedded/queries/block-json.js'
import { type LogFilter, termsOf } from '../../io/execution/embedded/queries/log-filter.js'
import type { HeadChange } from '../../io/execution/execution-client.js'
import { logsOf } from './head-logs.js'
import { LogWatchers } from './log-watchers.js'
import { pooledToJson } from './pooled-transaction-json.js'
import { randomId } from './random-id.js'
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
  /** Notifications held back until the answer with the id is sent; null afterwards. */
  held: string[] | null
}

/** Turns heads and waiting transactions into notifications; each text is made once for all subscribers. */
export class SubscriptionHub {
  private readonly byKind = {
    newHeads: new Map<Hex, Subscription>(),
    newPendingTransactions: new Map<Hex, Subscription>(),
    syncing: new Map<Hex, Subscription>(),
  }
  private readonly logWatchers = new LogWatchers<Subscription>()
  /** Addresses and topics that all subscriptions name. */
  allTerms = 0
  private readonly bySubscriber = new Map<Subscriber, Map<Hex, Subscription>>()
  private readonly stops: readonly (() => void)[]
  private wasSyncing: boolean

  constructor(
    private readonly ports: {
      heads: HeadSource
      mempool: Pick<TransactionPool, 'onPending'>
      network: Pick<NetworkStatus, 'syncing'>
    },
  ) {
    this.wasSyncing = ports.network.syncing() !== null
    this.stops = [
      ports.heads.onHead(change => this.onHead(change)),
      ports.mempool.onPending(transactions => this.onPending(transactions)),
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

  /** Begins a subscription; its notifications wait for `activate`. */
  subscribe(subscriber: Subscriber, topic: Topic): Hex {
    const subscription: Subscription = { id: randomId(), topic, subscriber, held: [] }
    if (topic.kind === 'logs') {
      this.logWatchers.add(subscription, topic.filter)
      this.allTerms += termsOf(topic.filter)
    } else this.byKind[topic.kind].set(subscription.id, subscription)
    const own = this.bySubscriber.get(subscriber) ?? new Map<Hex, Subscription>()
    this.bySubscriber.set(subscriber, own.set(subscription.id, subscription))
    return subscription.id
  }

  /** Lets the notifications flow: the caller knows the id now. */
  activate(subscriber: Subscriber, id: Hex): void {
    const subscription = this.bySubscriber.get(subscriber)?.get(id)
    if (subscription) for (const text of release(subscription)) subscriber.notify(text)
  }

  /** Ends one subscription of this connection; false when it has no such. */
  unsubscribe(subscriber: Subscriber, id: Hex): boolean {
    const own = this.bySubscriber.get(subscriber)
    const subscription = own?.get(id)
    if (!own || !subscription) return false
    own.delete(id)
    if (own.size === 0) this.bySubscriber.delete(subscriber)
    release(subscription)
    const { topic } = subscription
    if (topic.kind === 'logs') {
      this.logWatchers.remove(subscription, topic.filter)
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
    const { hash, header } = change.block
    const { newHeads } = this.byKind
    if (newHeads.size > 0) {
      const text = toJson(headerToJson(hash, header))
      for (const subscription of newHeads.values()) deliver(subscription, text)
    }
    for (const log of logsOf(change)) {
      let text: string | undefined
      for (const subscription of this.logWatchers.of(log, header.number)) {
        text ??= toJson(log)
        deliver(subscription, text)
      }
    }
    this.deliverSyncing()
  }

  private deliverSyncing(): void {
    const { syncing } = this.byKind
    const progress = this.ports.network.syncing()
    const isSyncing = progress !== null
    if (isSyncing === this.wasSyncing) return
    this.wasSyncing = isSyncing
    const text = toJson(progress ? { syncing: true, status: syncingJson(progress) } : false)
    for (const subscription of syncing.values()) deliver(subscription, text)
  }

  private onPending(transactions: readonly PooledTransaction[]): void {
    const subscriptions = this.byKind.newPendingTransactions
    if (subscriptions.size === 0) return
    for (const pooled of transactions) {
      const hashText = `"${pooled.hash}"`
      let fullText: string | undefined
      for (const subscription of subscriptions.values()) {
        const isFull = subscription.topic.kind === 'newPendingTransactions' && subscription.topic.isFull
        if (isFull) fullText ??= toJson(pooledToJson(pooled))
        deliver(subscription, isFull ? fullText! : hashText)
      }
    }
  }
}

function deliver({ id, held, subscriber }: Subscription, result: string): void {
  const text = `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${id}","result":${result}}}`
  if (!held) subscriber.notify(text)
  else if (subscriber.holdBack(text.length)) held.push(text)
}

/** Holds nothing back any more; returns what was. */
function release(subscription: Subscription): readonly string[] {
  const { held, subscriber } = subscription
  if (!held) return []
  subscription.held = null
  subscriber.holdBack(-held.reduce((bytes, text) => bytes + text.length, 0))
  return held
}
