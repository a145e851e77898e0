import { beforeEach, expect, it } from 'vitest'
import { type Address, zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import { everyLog, type LogFilter } from '../../io/execution/embedded/queries/log-filter.js'
import { FakeNode, token } from './fake-node.fixture.js'
import type { Subscriber } from './rpc-method.js'
import { SubscriptionHub } from './subscription-hub.js'

/** Remembers what it is told. */
class FakeSubscriber implements Subscriber {
  heldBackBytes = 0
  isOpen = true
  constructor(readonly host: string | null = null) {}
  readonly told: { subscription: string; result: unknown }[] = []
  notify(text: string): void {
    this.told.push(JSON.parse(text).params)
  }
  holdBack(bytes: number): boolean {
    if (this.isOpen) this.heldBackBytes += bytes
    return this.isOpen
  }
  disconnect(): void {
    this.isOpen = false
  }
}

let node: FakeNode
let hub: SubscriptionHub
const one = () => new FakeSubscriber()

beforeEach(() => {
  node = new FakeNode()
  const { heads, mempool, network } = node.ports()
  hub = new SubscriptionHub({ heads, mempool, network })
})

it('holds notifications back until the subscriber knows its id', () => {
  const subscriber = one()
  const id = hub.subscribe(subscriber, { kind: 'newHeads' })
  node.mine([])
  node.mine([])
  expect(subscriber.told).toEqual([])
  hub.activate(subscriber, id)
  node.mine([])
  expect(subscriber.told.map(({ result }) => (result as { number: string }).number)).toEqual(['0x1', '0x2', '0x3'])
  expect(new Set(subscriber.told.map(({ subscription }) => subscription))).toEqual(new Set([id]))
})

it('tells a subscriber how much it holds back, and when it holds it no more', () => {
  const subscriber = one()
  const [first, second] = [1, 2].map(() => hub.subscribe(subscriber, { kind: 'logs', filter: everyLog }))
  const pooled = { raw: new Uint8Array(5), hash: zeroHash, sender: token, nonce: 0 }
  node.mine([pooled, pooled])
  const bytes = subscriber.heldBackBytes
  expect(bytes).toBeGreaterThan(4 * 200)
  hub.activate(subscriber, first!)
  expect(Math.abs(subscriber.heldBackBytes - bytes / 2)).toBeLessThan(bytes / 10)
  hub.unsubscribe(subscriber, second!)
  expect(subscriber.heldBackBytes).toBe(0)
})

it('holds nothing back for a subscriber that is disconnected', () => {
  const subscriber = one()
  const id = hub.subscribe(subscriber, { kind: 'newHeads' })
  subscriber.disconnect()
  node.mine([])
  hub.activate(subscriber, id)
  expect(subscriber.told).toEqual([])
})

it('does not look at subscriptions to other addresses when a head comes', () => {
  let looks = 0
  const counted = (filter: LogFilter) =>
    new Proxy(filter, {
      get(...access) {
        looks++
        return Reflect.get(...access)
      },
    })
  const subscriber = one()
  const subscribe = (address: Address) => {
    const filter = counted({ ...everyLog, addresses: new Set([address]) })
    hub.activate(subscriber, hub.subscribe(subscriber, { kind: 'logs', filter }))
  }
  for (let i = 0; i < 100; i++) subscribe(zeroAddress)
  looks = 0
  const pooled = { raw: new Uint8Array(5), hash: zeroHash, sender: token, nonce: 0 }
  node.mine([pooled, pooled])
  expect(looks).toBe(0)
  subscribe(token)
  node.mine([pooled, pooled])
  expect(subscriber.told).toHaveLength(2)
})

it('keeps the subscriptions of connections apart', () => {
  const [a, b] = [one(), one()]
  const id = hub.subscribe(a, { kind: 'newHeads' })
  const other = hub.subscribe(b, { kind: 'newHeads' })
  hub.activate(a, id)
  hub.activate(b, other)
  expect(hub.unsubscribe(b, id)).toBe(false)
  hub.drop(b)
  expect([hub.count(a), hub.count(b)]).toEqual([1, 0])
  node.mine([])
  expect([a.told.length, b.told.length]).toEqual([1, 0])
  expect(hub.unsubscribe(a, id)).toBe(true)
  node.mine([])
  expect(a.told).toHaveLength(1)
})

it('tells when syncing begins and ends, once each', () => {
  const subscriber = one()
  hub.activate(subscriber, hub.subscribe(subscriber, { kind: 'syncing' }))
  node.mine([])
  node.syncing = { startingBlock: 0, currentBlock: 1, highestBlock: 9 }
  node.mine([])
  node.mine([])
  node.syncing = null
  node.mine([])
  expect(subscriber.told.map(({ result }) => result)).toEqual([
    { syncing: true, status: { startingBlock: '0x0', currentBlock: '0x1', highestBlock: '0x9' } },
    false,
  ])
})
