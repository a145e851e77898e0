import { everyLog, readLogFilter, termsOf } from '../../../io/execution/embedded/queries/log-filter.js'
import { type RpcArguments, readBoolean, readString } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../../io/execution/execution-rpc-error.js'
import type { RpcConfig } from '../rpc-config.js'
import type { RpcMethods, Subscriber } from '../rpc-method.js'
import type { SubscriptionHub, Topic } from '../subscription-hub.js'

/** eth_subscribe and eth_unsubscribe, over WebSocket only. */
export function subscriptionMethods({
  hub,
  config: {
    maxSubscriptionsPerConnection,
    maxSubscriptionsPerHost,
    maxSubscriptions,
    maxLogTermsPerConnection,
    maxLogTerms,
  },
}: {
  hub: SubscriptionHub
  config: Pick<
    RpcConfig,
    | 'maxSubscriptionsPerConnection'
    | 'maxSubscriptionsPerHost'
    | 'maxSubscriptions'
    | 'maxLogTermsPerConnection'
    | 'maxLogTerms'
  >
}): RpcMethods {
  return {
    eth_subscribe({ args, context }) {
      const subscriber = requireSubscriber(context.subscriber)
      const topic = readTopic(args)
      if (hub.count(subscriber) >= maxSubscriptionsPerConnection)
        throw limitExceeded(`too many subscriptions: a connection may have ${maxSubscriptionsPerConnection}`)
      const { host } = subscriber
      if (host !== null && hub.countOf(other => other.host === host) >= maxSubscriptionsPerHost)
        throw limitExceeded(`too many subscriptions: a host may have ${maxSubscriptionsPerHost}`)
      const terms = topic.kind === 'logs' ? termsOf(topic.filter) : 0
      if (hub.terms(subscriber) + terms > maxLogTermsPerConnection)
        throw limitExceeded(`too many addresses and topics: a connection may watch ${maxLogTermsPerConnection}`)
      while (hub.countOf(() => true) >= maxSubscriptions)
        if (!hub.makeRoom({ host, wants: 1 }, other => hub.count(other)))
          throw limitExceeded('too many subscriptions of all connections')
      while (terms > 0 && hub.allTerms + terms > maxLogTerms)
        if (!hub.makeRoom({ host, wants: terms }, other => hub.terms(other)))
          throw limitExceeded('too many addresses and topics are watched by all connections')
      const id = hub.subscribe(subscriber, topic)
      context.afterAnswer(() => hub.activate(subscriber, id))
      return id
    },
    eth_unsubscribe({ args, context }) {
      const subscriber = requireSubscriber(context.subscriber)
      const id = args.required(readString)
      args.end()
      if (!hub.unsubscribe(subscriber, id as `0x${string}`))
        throw new ExecutionRpcError({ code: rpcErrorCodes.server, message: 'subscription not found' })
      return true
    },
  }
}

const limitExceeded = (message: string) => new ExecutionRpcError({ code: rpcErrorCodes.limitExceeded, message })

function requireSubscriber(subscriber: Subscriber | null): Subscriber {
  if (subscriber) return subscriber
  throw new ExecutionRpcError({ code: rpcErrorCodes.methodNotFound, message: 'notifications not supported' })
}

function readTopic(args: RpcArguments): Topic {
  const kind = args.required(readString)
  const topic = (): Topic => {
    switch (kind) {
      case 'newHeads':
      case 'syncing':
        return { kind }
      case 'logs':
        return { kind, filter: args.optional(readLogFilter) ?? everyLog }
      case 'newPendingTransactions':
        return { kind, isFull: args.optional(readBoolean) ?? false }
      default:
        throw new ExecutionRpcError({
          code: rpcErrorCodes.methodNotFound,
          message: `no "${kind.slice(0, 100)}" subscription in eth namespace`,
        })
    }
  }
  const read = topic()
  args.end()
  return read
}
