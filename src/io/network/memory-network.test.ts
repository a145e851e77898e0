import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../random/seeded-random.js'
import { VirtualClock } from '../time/virtual-clock.js'
import { MemoryHub, type MemoryNetwork, type MemoryWires } from './memory-network.js'

function makeMesh(wires: Omit<MemoryWires, 'clock'>) {
  const clock = new VirtualClock()
  const hub = new MemoryHub({ clock, ...wires })
  const seen: string[] = []
  const nodes = ['a', 'b', 'c'].map(id => hub.join({ id }))
  const listen = (node: MemoryNetwork) => {
    node.onConnect(peer => seen.push(`${clock.nowMs()} ${node.localPeer}+${peer.id}`))
    node.onDisconnect(peer => seen.push(`${clock.nowMs()} ${node.localPeer}-${peer.id}`))
    node.onMessage('consensus', (from, message) =>
      seen.push(`${clock.nowMs()} ${from.id}>${node.localPeer} ${message[0]}`),
    )
  }
  for (const node of nodes) listen(node)
  const [a, b, c] = nodes as [MemoryNetwork, MemoryNetwork, MemoryNetwork]
  return { clock, hub, seen, a, b, c, listen }
}

describe('MemoryNetwork', () => {
  it('delivers after the delay of the wire, and keeps the order when a later message has a shorter one', async () => {
    const delays = [50, 10, 30]
    const { clock, seen, a } = makeMesh({ delayMs: () => delays.shift()! })
    await clock.advance(0)
    seen.length = 0
    for (const value of [1, 2, 3]) a.send('b', 'consensus', Uint8Array.of(value))
    await clock.advance(100)
    expect(seen).toEqual(['10 a>b 1', '30 a>b 2', '50 a>b 3'])
  })

  it('lets messages arrive twice, or before earlier ones, where it is told to', async () => {
    const delays = [50, 10, 30, 30]
    const isSecond = ({ bytes }: { bytes: number }) => bytes === 2
    const heard: number[] = []
    const { clock, seen, a } = makeMesh({
      delayMs: () => delays.shift()!,
      overtakes: isSecond,
      duplicates: ({ bytes }) => bytes === 3,
      onDelivery: (_, content) => heard.push(content[0]!),
    })
    await clock.advance(0)
    seen.length = 0
    for (const value of [1, 2, 3]) a.send('b', 'consensus', new Uint8Array(value).fill(value))
    await clock.advance(100)
    expect(seen).toEqual(['10 a>b 2', '30 a>b 1', '30 a>b 3', '50 a>b 3'])
    expect(heard).toEqual([2, 1, 3, 3])
  })

  it('meets nobody before its start', async () => {
    const { clock, hub, a } = makeMesh({})
    const late = hub.prepare({ id: 'd' })
    await clock.advance(10)
    expect([late.peers(), a.peers().map(peer => peer.id)]).toEqual([[], ['b', 'c']])
    late.start()
    await clock.advance(0)
    expect(late.peers().map(peer => peer.id)).toEqual(['a', 'b', 'c'])
  })

  it('loses what the wires lose, and what is under way when a connection ends', async () => {
    const { clock, hub, seen, a, b, c } = makeMesh({ delayMs: () => 20, loses: ({ to }) => to === 'c' })
    await clock.advance(0)
    seen.length = 0
    a.send('c', 'consensus', Uint8Array.of(1))
    a.send('b', 'consensus', Uint8Array.of(2))
    await clock.advance(10)
    hub.setWire('a', 'b', false)
    hub.setWire('a', 'b', true)
    await clock.advance(100)
    expect(seen).toEqual(['10 a-b', '10 b-a', '10 a+b', '10 b+a'])
    expect([a, b, c].map(node => node.peers().length)).toEqual([2, 2, 2])
  })

  it('parts the network and mends it; a cut wire stays cut for who joins', async () => {
    const { clock, hub, seen, a, listen } = makeMesh({})
    await clock.advance(0)
    hub.setWire('a', 'b', false)
    await a.close()
    const again = hub.join({ id: 'a' })
    listen(again)
    await clock.advance(0)
    expect(again.peers().map(peer => peer.id)).toEqual(['c'])
    seen.length = 0
    hub.setWire('a', 'b', true)
    await clock.advance(0)
    expect(seen).toEqual(['0 a+b', '0 b+a'])
  })

  it('meets a dropped peer again when the ban is over, in virtual time', async () => {
    const { clock, seen, a } = makeMesh({ banMs: 30_000 })
    await clock.advance(0)
    seen.length = 0
    a.drop('b', { reason: 'TEST' })
    await clock.advance(29_999)
    expect(seen).toEqual(['0 a-b', '0 b-a'])
    await clock.advance(1)
    expect(seen.slice(2)).toEqual(['30000 a+b', '30000 b+a'])
  })

  it('is told by its seed: the same seed gives the same history', async () => {
    const run = async (seed: string) => {
      const random = new SeededRandom(seed)
      const { clock, seen, a, b, c } = makeMesh({
        delayMs: () => Math.floor(random.float() * 50),
        loses: () => random.float() < 0.1,
      })
      await clock.advance(0)
      for (let i = 0; i < 50; i++) {
        for (const [from, to] of [
          [a, 'b'],
          [b, 'c'],
          [c, 'a'],
        ] as const)
          from.send(to, 'consensus', Uint8Array.of(i))
        await clock.advance(5)
      }
      await clock.advance(100)
      return seen
    }
    const first = await run('one')
    expect(first.length).toBeGreaterThan(100)
    expect(await run('one')).toEqual(first)
    expect(await run('two')).not.toEqual(first)
  })

  it('times a request out in virtual time', async () => {
    const { clock, a, b } = makeMesh({ requestTimeoutMs: 5_000 })
    await clock.advance(0)
    b.onRequest('status', () => new Promise(() => {}))
    const asked = a.request('b', 'status', new Uint8Array(0))
    const refused = expect(asked).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
    await clock.advance(5_000)
    await refused
  })
})
