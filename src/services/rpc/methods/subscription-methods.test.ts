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

it('when all have too many, the connection with most of the host with most gives way', () => {
  const hub = new SubscriptionHub({ ...new FakeNode().ports(), config: defaultRpcConfig, work: new PacedWork() })
  const config = { ...defaultRpcConfig, maxSubscriptions: 6, maxLogTerms: 3 }
  const methods = subscriptionMethods({ hub, config })
  const ended: Subscriber[] = []
  const from = (host: string | null): Subscriber => {
    const subscriber = { ...at(host), disconnect: () => void ended.push(subscriber) }
    return subscriber
  }
  const subscribe = (subscriber: Subscriber, ...params: unknown[]) => {
    const context = { subscriber, afterAnswer() {} }
    methods.eth_subscribe!({ args: new RpcArguments(params), params, context } as unknown as RpcCall)
  }
  const [few, many, local, other] = [from('192.0.2.1'), from('192.0.2.1'), from(null), from('192.0.2.2')]
  for (const subscriber of [few, many, many, many, local, local]) subscribe(subscriber, 'newHeads')
  subscribe(other, 'newHeads')
  expect(ended).toEqual([many])
  const address = (count: number) => Array.from({ length: count }, (_, i) => `0x${`${i}`.repeat(40)}`)
  subscribe(few, 'logs', { address: address(3) })
  subscribe(other, 'logs', { address: address(1) })
  expect(ended).toEqual([many, few])
  expect(() => subscribe(from('192.0.2.3'), 'logs', { address: address(3) })).toThrow('watched by all connections')
})
