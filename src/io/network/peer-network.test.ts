import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesEqual } from '../../base/primitives/bytes.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import { GuardedSigner } from '../keys/guarded-signer.js'
import { MemorySigningRecord } from '../keys/memory-signing-record.js'
import { systemClock } from '../time/system-clock.js'
import { Libp2pNetwork } from './libp2p-network.js'
import { MemoryHub } from './memory-network.js'
import { channelLimits, maxRequestBytes } from './network-limits.js'
import type { Channel, Peer, PeerNetwork } from './peer-network.js'

const domain = { l1ChainId: 1, rollup: `0x${'22'.repeat(20)}` } as const
const identity = { l2ChainId: 7, genesisHash: zeroHash, domain }
const requestTimeoutMs = 1_500
const banMs = 300
const bSecret = BlsSecretKey.fromSeed(new Uint8Array(32).fill(5))

/** Two networks that will meet: a is listened to, b dials. b has a consensus key. */
interface Fixture {
  a: PeerNetwork
  b: PeerNetwork
  /** Begins; handlers are in place. */
  start(): Promise<void>
  /** Ends a and begins it again under the same identity; the new one is given before it begins. */
  restartA(prepare: (a: PeerNetwork) => void): Promise<void>
}

async function libp2pFixture(): Promise<Fixture> {
  const limits = { requestTimeoutMs, banMs }
  const createA = (port: number) =>
    Libp2pNetwork.create({
      config: { listen: { host: '127.0.0.1', port }, peers: [], network: identity, role: 'full', limits },
      nodeKey: new Uint8Array(32).fill(1),
    })
  let a = await createA(0)
  await a.start()
  const address = a.addresses()[0]!
  const signer = new GuardedSigner({ secretKey: bSecret, domain, record: new MemorySigningRecord() })
  const b = await Libp2pNetwork.create({
    config: { listen: { host: '127.0.0.1', port: 0 }, peers: [address], network: identity, role: 'sequencer', limits },
    nodeKey: new Uint8Array(32).fill(2),
    signer,
  })
  const fixture: Fixture = {
    a,
    b,
    start: () => b.start(),
    restartA: async prepare => {
      await a.close()
      a = await createA(Number(address.split('/')[4]))
      fixture.a = a
      prepare(a)
      await a.start()
    },
  }
  return fixture
}

async function memoryFixture(): Promise<Fixture> {
  const hub = new MemoryHub({ clock: systemClock, requestTimeoutMs, banMs })
  const fixture: Fixture = {
    a: hub.join({ id: 'a' }),
    b: hub.join({ id: 'b', consensusKey: bSecret.publicKey() }),
    start: async () => {},
    restartA: async prepare => {
      await fixture.a.close()
      fixture.a = hub.join({ id: 'a' })
      prepare(fixture.a)
    },
  }
  return fixture
}

const connectOf = (network: PeerNetwork) => new Promise<Peer>(resolve => network.onConnect(resolve))
const disconnectOf = (network: PeerNetwork) => new Promise<Peer>(resolve => network.onDisconnect(resolve))
/** The first `count` messages of a channel. */
function inbox(network: PeerNetwork, channel: Channel, count: number): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = []
  return new Promise(resolve =>
    network.onMessage(channel, (_, message) => {
      messages.push(message)
      if (messages.length === count) resolve(messages)
    }),
  )
}
const bytes = (text: string) => Uint8Array.from(Buffer.from(text))
const code = (value: string) => expect.objectContaining({ name: 'NetworkError', code: value })

describe.each([
  ['Libp2pNetwork', libp2pFixture],
  ['MemoryNetwork', memoryFixture],
])('PeerNetwork: %s', (_, makeFixture) => {
  let fixture: Fixture
  let met: Promise<[Peer, Peer]>
  beforeEach(async () => {
    fixture = await makeFixture()
    met = Promise.all([connectOf(fixture.a), connectOf(fixture.b)])
  })
  afterEach(async () => {
    await fixture.a.close()
    await fixture.b.close()
  })
  const meet = async () => {
    await fixture.start()
    return met
  }

  it('announces each to the other, with the consensus key that vouches for it', async () => {
    const [seenByA, seenByB] = await meet()
    expect(seenByA).toEqual({ id: fixture.b.localPeer, consensusKey: bSecret.publicKey() })
    expect(seenByB).toEqual({ id: fixture.a.localPeer, consensusKey: null })
    expect(fixture.a.peers()).toEqual([seenByA])
    expect(fixture.b.peers()).toEqual([seenByB])
  })

  it('is met anew without its key when it no longer speaks for it, and with it when it does again', async () => {
    const { a, b } = fixture
    await meet()
    for (const speaks of [false, true]) {
      const parted = Promise.all([disconnectOf(a), disconnectOf(b)])
      const again = Promise.all([connectOf(a), connectOf(b)])
      b.speakForKey(speaks)
      b.speakForKey(speaks)
      await parted
      const [seenByA] = await again
      expect(seenByA).toEqual({ id: b.localPeer, consensusKey: speaks ? bSecret.publicKey() : null })
      expect(a.peers()).toEqual([seenByA])
    }
  })

  it('keeps the order of each channel, both ways, from the first message on', async () => {
    const { a, b } = fixture
    const count = 1_000
    b.onConnect(peer => {
      for (let i = 0; i < count; i++) b.send(peer.id, i % 2 ? 'consensus' : 'transactions', bytes(`b${i}`))
    })
    a.onConnect(peer => {
      for (let i = 0; i < count; i++) a.send(peer.id, 'blocks', bytes(`a${i}`))
    })
    const inboxes = [inbox(a, 'consensus', count / 2), inbox(a, 'transactions', count / 2), inbox(b, 'blocks', count)]
    await meet()
    const [odd, even, all] = (await Promise.all(inboxes)).map(box => box.map(m => Buffer.from(m).toString()))
    const numbers = Array.from({ length: count }, (_, i) => i)
    expect(odd).toEqual(numbers.filter(i => i % 2).map(i => `b${i}`))
    expect(even).toEqual(numbers.filter(i => i % 2 === 0).map(i => `b${i}`))
    expect(all).toEqual(numbers.map(i => `a${i}`))
  })

  it('carries empty, small and 4 MB messages whole, in order, and refuses to send one above the limit', async () => {
    const { a, b } = fixture
    await meet()
    const large = Uint8Array.from({ length: 4_000_000 }, (_, i) => i * 31)
    const messages = [bytes('first'), large, new Uint8Array(0), large.subarray(0, 100_000), bytes('last')]
    const received = inbox(a, 'consensus', messages.length)
    for (const message of messages) b.send(a.localPeer, 'consensus', message)
    expect((await received).map((m, i) => bytesEqual(m, messages[i]!))).toEqual(messages.map(() => true))
    const tooLarge = new Uint8Array(channelLimits.batches.messageBytes + 1)
    expect(() => b.send(a.localPeer, 'batches', tooLarge)).toThrow(InvariantError)
  })

  it('drops in silence what is for an unknown peer or a channel without a handler', async () => {
    const { a, b } = fixture
    await meet()
    b.send('nobody', 'consensus', bytes('x'))
    b.send(a.localPeer, 'batches', bytes('no handler'))
    const received = inbox(a, 'consensus', 1)
    b.send(a.localPeer, 'consensus', bytes('heard'))
    expect((await received).length).toBe(1)
  })

  it('answers requests, empty and large, many at once', async () => {
    const { a, b } = fixture
    a.onRequest('status', async (from, body) => bytes(`${from.id} asked ${Buffer.from(body).toString()}`))
    a.onRequest('block-range', async (_, body) => new Uint8Array(body[0]! * 1_000_000).fill(body[0]!))
    await meet()
    const asked = Array.from({ length: 8 }, (_, i) => b.request(a.localPeer, 'status', bytes(`${i}`)))
    expect((await Promise.all(asked)).map(m => Buffer.from(m).toString())).toEqual(
      asked.map((_, i) => `${b.localPeer} asked ${i}`),
    )
    expect(await b.request(a.localPeer, 'block-range', Uint8Array.of(0))).toHaveLength(0)
    const large = await b.request(a.localPeer, 'block-range', Uint8Array.of(4))
    expect(large.length).toBe(4_000_000)
    expect(large.every(byte => byte === 4)).toBe(true)
  })

  it('names why a request has no answer', async () => {
    const { a, b } = fixture
    a.onRequest('status', () => new Promise(() => {}))
    await meet()
    await expect(b.request(a.localPeer, 'block-range', bytes('no handler'))).rejects.toEqual(code('REQUEST_REFUSED'))
    a.onRequest('block-range', async () => {
      throw new DecodeError('not a range')
    })
    await expect(b.request(a.localPeer, 'block-range', bytes('x'))).rejects.toEqual(code('REQUEST_REFUSED'))
    await expect(b.request(a.localPeer, 'status', bytes('x'))).rejects.toEqual(code('REQUEST_TIMEOUT'))
    await expect(b.request('nobody', 'status', bytes('x'))).rejects.toEqual(code('PEER_GONE'))
    const abort = new AbortController()
    const aborted = b.request(a.localPeer, 'status', bytes('x'), abort.signal)
    abort.abort()
    await expect(aborted).rejects.toEqual(code('REQUEST_ABORTED'))
    await expect(b.request(a.localPeer, 'status', new Uint8Array(maxRequestBytes + 1))).rejects.toThrow(InvariantError)
    const left = b.request(a.localPeer, 'status', bytes('x'))
    await a.close()
    await expect(left).rejects.toEqual(code('PEER_GONE'))
  })

  it('tells both sides of a drop, refuses the peer for a while, and meets it again', async () => {
    const { a, b } = fixture
    const [peer] = await meet()
    const parted = Promise.all([disconnectOf(a), disconnectOf(b)])
    const again = Promise.all([connectOf(a), connectOf(b)])
    const droppedAtMs = Date.now()
    a.drop(peer.id, { reason: 'TEST' })
    expect(a.peers()).toEqual([])
    await parted
    await again
    expect(Date.now() - droppedAtMs).toBeGreaterThanOrEqual(banMs - 1)
    expect(a.peers()).toHaveLength(1)
  })

  it('keeps a peer that did something light', async () => {
    const { a, b } = fixture
    const [peer] = await meet()
    let parted = 0
    a.onDisconnect(() => parted++)
    const received = inbox(a, 'consensus', 1)
    a.drop(peer.id, { reason: 'TEST', severity: 'light' })
    b.send(a.localPeer, 'consensus', bytes('still here'))
    await received
    expect(parted).toBe(0)
    expect(a.peers()).toEqual([peer])
  })

  it('drops a peer whose message a handler cannot read', async () => {
    const { a, b } = fixture
    a.onMessage('consensus', () => {
      throw new DecodeError('garbage')
    })
    await meet()
    const parted = disconnectOf(b)
    b.send(a.localPeer, 'consensus', bytes('garbage'))
    expect((await parted).id).toBe(a.localPeer)
  })

  it('meets a peer again that was restarted, and messages flow', async () => {
    const { b } = fixture
    await meet()
    const parted = disconnectOf(b)
    const again = connectOf(b)
    let received: Promise<Uint8Array[]>
    await fixture.restartA(a => {
      received = inbox(a, 'consensus', 1)
    })
    await parted
    const peer = await again
    b.send(peer.id, 'consensus', bytes('hello again'))
    expect(Buffer.from((await received!)[0]!).toString()).toBe('hello again')
  })
})
