import { beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { setOfKeys } from '../../base/protocol/sequencer-set.fixture.js'
import type { Peer } from '../../io/network/peer-network.js'
import { MemberWatch } from './member-watch.js'

const keys = [1, 2, 3, 4].map(i => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i)))
const set = setOfKeys({ keys })
const peers = keys.map<Peer>((key, i) => ({ id: `peer-${i}`, consensusKey: key.publicKey() }))

let connected: Peer[]
let leave: (peer: Peer) => void
let downs: number
let watch: MemberWatch

beforeEach(() => {
  connected = peers.slice(1)
  downs = 0
  const network = {
    peers: () => connected,
    onDisconnect: (handler: (peer: Peer) => void) => {
      leave = peer => {
        connected = connected.filter(one => one !== peer)
        handler(peer)
      }
    },
  }
  watch = new MemberWatch(network, () => downs++)
  watch.startHeight({ height: 10, set, self: 0 })
})

const hear = (members: number[], height: number) => {
  for (const member of members) watch.heard(member, height)
}

describe('MemberWatch', () => {
  it('counts a member as up once it is heard of at a recent height, and this node always', () => {
    expect([...watch.up()]).toEqual([0])
    hear([1], 7)
    hear([2], 8)
    hear([3], 10)
    expect([...watch.up()].sort()).toEqual([0, 2, 3])
  })

  it('takes a connected member that is silent for some heights as down', () => {
    hear([1, 2, 3], 10)
    watch.startHeight({ height: 13, set, self: 0 })
    hear([1, 3], 13)
    expect(watch.isSkippable(2)).toBe(true)
    hear([2], 13)
    expect(watch.isSkippable(2)).toBe(false)
  })

  it('forgets what a member said when its connection ends, and tells', () => {
    hear([1, 2, 3], 10)
    leave(peers[3]!)
    expect(downs).toBe(1)
    expect(watch.isSkippable(3)).toBe(true)
    connected = peers.slice(1)
    expect(watch.isSkippable(3)).toBe(true)
  })

  it('passes over nobody while no quorum is up', () => {
    hear([1], 10)
    expect(watch.isSkippable(2)).toBe(false)
    expect(watch.isSkippable(3)).toBe(false)
  })

  it('takes no stranger for a member', () => {
    connected = [{ id: 'stranger', consensusKey: null }]
    hear([1, 2, 3], 10)
    expect([...watch.up()]).toEqual([0])
  })
})
