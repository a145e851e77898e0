import { expect, it } from 'vitest'
import { RpcArguments } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { FakeNode } from '../fake-node.fixture.js'
import { PacedWork } from '../paced-work.js'
import { defaultRpcConfig } from '../rpc-config.js'
import type { RpcCall, Subscriber } from '../rpc-method.js'
import { SubscriptionHub } from '../subscription-hub.js'
import { subscriptionMethods } from './subscription-methods.js'

const at = (host: string | null): Subscriber => ({
  host,
  isBehind: false,
  notify() {},
  holdBack: () => true,
  disconnect() {},
})

it('a host has its share of the subscriptions, loopback any number', () => {
  const hub = new SubscriptionHub({ ...new FakeNode().ports(), config: defaultRpcConfig, work: new PacedWork() })
  const methods = subscriptionMethods({ hub, config: { ...defaultRpcConfig, maxSubscriptionsPerHost: 2 } })
  const subscribe = (subscriber: Subscriber) => () => {
    const context = { subscriber, afterAnswer() {} }
    methods.eth_subscribe!({ args: new RpcArguments(['newHeads']), params: [], context } as unknown as RpcCall)
  }
  const first = at('192.0.2.1')
  subscribe(first)()
  subscribe(at('192.0.2.1'))()
  expect(subscribe(at('192.0.2.1'))).toThrow('too many subscriptions: a host may have 2')
  subscribe(at('192.0.2.2'))()
  for (let i = 0; i < 3; i++) subscribe(at(null))()
  hub.drop(first)
  subscribe(at('192.0.2.1'))()
})
