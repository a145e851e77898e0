import { expect, it } from 'vitest'
import { VirtualClock } from '../time/virtual-clock.js'
import type { Libp2pNode } from './libp2p-node.js'
import { PeerDialer } from './peer-dialer.js'

const ids = ['12D3KooWA1', '12D3KooWA2', '12D3KooWA3'] as const

it('PeerDialer: knows hosts by their addresses at once, and by their names as they are looked up at each dial', async () => {
  const clock = new VirtualClock()
  const asked: string[] = []
  const zone = new Map([['sequencer.example', ['192.0.2.1']]])
  let changes = 0
  const dialer = new PeerDialer(
    [
      `/ip4/192.0.2.9/tcp/9000/p2p/${ids[0]}`,
      `/dns4/sequencer.example/tcp/9000/p2p/${ids[1]}`,
      `/dns/nowhere.example/tcp/9000/p2p/${ids[2]}`,
    ],
    {
      node: {
        peerId: 'self',
        dial: async () => {
          throw new Error('nobody is there')
        },
      } as unknown as Libp2pNode,
      clock,
      isConnected: () => false,
      lookUp: async (name, family) => {
        asked.push(`${name} ${family}`)
        const hosts = zone.get(name)
        if (!hosts) throw new Error('ENOTFOUND')
        return hosts
      },
      hostsChanged: () => changes++,
    },
  )
  expect(dialer.hosts()).toEqual(['192.0.2.9'])
  dialer.start()
  await clock.advance(0)
  expect(asked).toEqual(['sequencer.example 4', 'nowhere.example 0'])
  expect(dialer.hosts()).toEqual(['192.0.2.9', '192.0.2.1'])
  expect(changes).toBe(1)
  zone.set('sequencer.example', ['192.0.2.2', '192.0.2.3'])
  await clock.advance(2_000)
  expect(dialer.hosts()).toEqual(['192.0.2.9', '192.0.2.2', '192.0.2.3'])
  zone.delete('sequencer.example')
  await clock.advance(2_000)
  expect(dialer.hosts()).toEqual(['192.0.2.9', '192.0.2.2', '192.0.2.3'])
  dialer.stop()
})
