import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../time/virtual-clock.js'
import type { PeerDialer } from './peer-dialer.js'
import { PeerKinds } from './peer-kinds.js'
import type { Peer } from './peer-network.js'
import type { PeerSession } from './peer-session.js'

const hourMs = 3_600_000

describe('PeerKinds: known hosts', () => {
  let clock: VirtualClock
  let live: PeerSession[]
  let set: number[]
  let kinds: PeerKinds
  beforeEach(() => {
    clock = new VirtualClock()
    live = []
    set = [1, 2]
    const dialer = { knows: id => id === 'configured', hosts: () => ['192.0.2.9'] } as Partial<PeerDialer> as PeerDialer
    kinds = new PeerKinds({ clock, dialer, sessions: () => live })
    kinds.isSequencer = key => set.includes(key[0]!)
  })

  /** Peers of these ids and keys have the only sessions, from these hosts. */
  function connected(...sessions: { id: string; key?: number; host: string }[]): void {
    live = sessions.map(({ id, key, host }) => {
      const peer: Peer = { id, consensusKey: key === undefined ? null : new Uint8Array(48).fill(key) }
      return {
        peer,
        kind: kinds.of(peer),
        connection: { remoteAddr: `/ip4/${host}/tcp/9000` },
      } as unknown as PeerSession
    })
    kinds.refreshHosts()
  }
  const known = (...hosts: string[]) => hosts.filter(host => kinds.isKnownHost(host))

  it('are those of sequencers and configured peers, for some hours after their last session too', async () => {
    connected(
      { id: 'a', key: 1, host: '192.0.2.1' },
      { id: 'configured', host: '192.0.2.2' },
      { id: 'stranger', host: '192.0.2.3' },
      { id: 'former', key: 7, host: '192.0.2.4' },
    )
    const all = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.9']
    expect(known(...all)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.9'])
    connected()
    await clock.advance(5 * hourMs)
    kinds.refreshHosts()
    expect(known(...all)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.9'])
    await clock.advance(hourMs)
    kinds.refreshHosts()
    expect(known(...all)).toEqual(['192.0.2.9'])
  })

  it('are one of each key, and none of a key that left the set', () => {
    for (let i = 0; i < 100; i++) connected({ id: `peer ${i}`, key: 1, host: `192.0.2.${i + 10}` })
    connected({ id: 'b', key: 2, host: '192.0.2.1' })
    expect(known(...Array.from({ length: 120 }, (_, i) => `192.0.2.${i}`))).toEqual([
      '192.0.2.1',
      '192.0.2.9',
      '192.0.2.109',
    ])
    set = [1]
    connected()
    expect(known('192.0.2.1', '192.0.2.109')).toEqual(['192.0.2.109'])
  })
})
