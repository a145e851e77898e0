import { beforeEach, describe, expect, it } from 'vitest'
import { bytesToHex, type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import { type Address, zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import { everyLog, type LogFilter } from '../../io/execution/embedded/queries/log-filter.js'
import { account, chainId, FakeNode, token } from './fake-node.fixture.js'
import { PacedWork } from './paced-work.js'
import type { Subscriber } from './rpc-method.js'
import { SubscriptionHub, type Topic } from './subscription-hub.js'

/** Remembers what it is told. */
class FakeSubscriber implements Subscriber {
  heldBackBytes = 0
  isOpen = true
  constructor(readonly host: string | null = null) {}
  readonly told: { subscription: string; result: unknown }[] = []
  notify(text: string): void {
    this.told.push(JSON.parse(text).params)
  }
  get isBehind(): boolean {
    return this.told.length > 0
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
let config: { maxLogNotificationsPerConnection: number; maxLogNotificationsPerHost: number }
let hub: SubscriptionHub
const one = () => new FakeSubscriber()

beforeEach(() => {
  node = new FakeNode()
  config = { maxLogNotificationsPerConnection: 5_000, maxLogNotificationsPerHost: 5_000 }
  const { heads, mempool, network } = node.ports()
  hub = new SubscriptionHub({ heads, mempool, network, config, work: new PacedWork(60_000) })
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

describe('what one event brings is told in turns', () => {
  const pooledWith = (bytes: number) => ({ raw: new Uint8Array(bytes), hash: zeroHash, sender: token, nonce: 0 })
  const subscribeOften = (subscriber: FakeSubscriber, count: number, topic: Topic) =>
    Array.from({ length: count }, () => {
      const id = hub.subscribe(subscriber, topic)
      hub.activate(subscriber, id)
      return id
    })
  const logs = { kind: 'logs', filter: everyLog } as const
  const toldBy = (subscriber: FakeSubscriber, id: unknown) =>
    subscriber.told.filter(({ subscription }) => subscription === id).map(({ result }) => result)

  it.each([
    ['heads', { kind: 'newHeads' }],
    ['logs', logs],
    ['transactions', { kind: 'newPendingTransactions', isFull: false }],
  ] as const)('of %s, few to each turn and all in the end', async (_what, topic) => {
    const subscriber = one()
    subscribeOften(subscriber, 3_000, topic)
    node.mine([pooledWith(5)])
    node.announce([pooledWith(5)])
    expect(subscriber.told.length).toBeLessThan(2_000)
    await expect.poll(() => subscriber.told.length).toBe(3_000)
  })

  it('of large logs, few bytes to each turn', () => {
    const subscriber = one()
    subscribeOften(subscriber, 100, logs)
    node.mine([pooledWith(100_000)])
    expect(subscriber.told.length).toBeLessThan(20)
  })

  it('in order for each subscription, and from the event on that follows it', async () => {
    const subscriber = one()
    const early = subscribeOften(subscriber, 1_500, logs)
    node.mine([pooledWith(1), pooledWith(2)])
    const [late] = subscribeOften(subscriber, 1, logs)
    node.mine([pooledWith(3)])
    await expect.poll(() => toldBy(subscriber, late).length).toBe(1)
    const dataOf = (id: unknown) => toldBy(subscriber, id).map(log => (log as { data: string }).data)
    for (const id of [early[0], early.at(-1)]) expect(dataOf(id)).toEqual(['0x00', '0x0000', '0x000000'])
    expect(dataOf(late)).toEqual(['0x000000'])
  })

  it('of what waited for the answer with the id too, before what came since', async () => {
    const subscriber = one()
    const id = hub.subscribe(subscriber, { kind: 'newHeads' })
    for (let block = 0; block < 3_000; block++) {
      node.mine([])
      if (block % 500 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    await expect.poll(() => subscriber.heldBackBytes).toBeGreaterThan(3_000 * 500)
    hub.activate(subscriber, id)
    expect(subscriber.told.length).toBeLessThan(2_000)
    node.mine([])
    await expect.poll(() => subscriber.told.length).toBe(3_001)
    expect(subscriber.heldBackBytes).toBe(0)
    expect(subscriber.told.map(({ result }) => Number((result as { number: string }).number))).toEqual(
      Array.from({ length: 3_001 }, (_, at) => at + 1),
    )
  })

  it('but a connection, or a host, that asks for every log many times is disconnected', async () => {
    config.maxLogNotificationsPerConnection = 100
    config.maxLogNotificationsPerHost = 200
    const [greedy, modest] = [one(), one()]
    const ofHost = Array.from({ length: 4 }, () => new FakeSubscriber('192.0.2.1'))
    subscribeOften(greedy, 11, logs)
    subscribeOften(modest, 1, logs)
    for (const subscriber of ofHost) subscribeOften(subscriber, 6, logs)
    const block = Array.from({ length: 10 }, () => pooledWith(1))
    node.mine(block)
    expect([greedy, modest, ...ofHost].map(({ isOpen }) => isOpen)).toEqual([false, true, false, false, false, false])
    expect(modest.told).toHaveLength(10)
    expect(hub.countOf(() => true)).toBe(1)
    node.mine(Array.from({ length: 150 }, () => pooledWith(1)))
    expect(modest.isOpen).toBe(true)
    await expect.poll(() => modest.told).toHaveLength(160)
  })

  it('and when too much waits for its turn, those with most subscriptions are disconnected', async () => {
    const [greedy, modest] = [one(), one()]
    subscribeOften(greedy, 3_000, { kind: 'newHeads' })
    const [id] = subscribeOften(modest, 1, { kind: 'newHeads' })
    subscribeOften(modest, 1, logs)
    for (let block = 0; block < 40; block++) node.mine([pooledWith(500_000)])
    expect([greedy.isOpen, modest.isOpen]).toEqual([false, true])
    await expect.poll(() => toldBy(modest, id).length).toBe(40)
  })

  it('and a large transaction is not told to who is behind', async () => {
    const [fresh, behind] = [one(), one()]
    for (const subscriber of [fresh, behind])
      subscribeOften(subscriber, 1, { kind: 'newPendingTransactions', isFull: true })
    subscribeOften(behind, 1, { kind: 'newHeads' })
    node.mine([])
    const pooledOf = async (data: Hex) => {
      const to = account.address
      const fields = {
        type: 'eip1559',
        chainId,
        nonce: 0,
        gas: 21_000n,
        maxFeePerGas: 1n,
        maxPriorityFeePerGas: 1n,
      } as const
      return { ...pooledWith(0), raw: hexToBytes(await account.signTransaction({ ...fields, to, data })) }
    }
    const large = bytesToHex(new Uint8Array(10_000))
    node.announce([await pooledOf(large), await pooledOf('0x')])
    const inputs = ({ told }: FakeSubscriber) => told.map(({ result }) => (result as { input?: Hex }).input)
    expect(inputs(fresh)).toEqual([large, '0x'])
    expect(inputs(behind)).toEqual([undefined, '0x'])
    hub.drop(fresh)
    // Nobody would be told: it is not even read.
    node.announce([{ ...pooledWith(1), raw: new Uint8Array(10_000) }])
    expect(inputs(behind)).toHaveLength(2)
  })
})
