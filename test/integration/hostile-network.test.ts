import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { zeroHash } from '../../src/base/primitives/hashes.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import { frameHead } from '../../src/io/network/frame-reader.js'
import { encodeHello, networkVersion } from '../../src/io/network/handshake.js'
import { agreeOnSession } from '../../src/io/network/handshake-stream.js'
import { Libp2pNetwork, type Libp2pNetworkOptions } from '../../src/io/network/libp2p-network.js'
import { nodePeerId } from '../../src/io/network/libp2p-node.js'
import type { Peer } from '../../src/io/network/peer-network.js'
import { SeededRandom } from '../../src/io/random/seeded-random.js'
import { PrometheusMetrics } from '../../src/io/telemetry/prometheus-metrics.js'

const domain = { l1ChainId: 1, rollup: `0x${'22'.repeat(20)}` } as const
const identity = { l2ChainId: 7, genesisHash: zeroHash, domain }
const seed = (n: number) => new Uint8Array(32).fill(n)
const keyOf = (n: number) => BlsSecretKey.fromSeed(seed(n))
const header = Buffer.from('\x13/multistream/1.0.0\n')
const noiseName = Buffer.from('\x07/noise\n')
const mebibyte = 1 << 20

const toClose: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of toClose.splice(0).reverse()) await one.close()
})

async function start({
  n,
  key,
  peers = [],
  ...rest
}: { n: number; key?: number; peers?: string[] } & Partial<Libp2pNetworkOptions> & {
    limits?: Libp2pNetworkOptions['config']['limits']
  }): Promise<Libp2pNetwork> {
  const { limits, ...options } = rest
  const network = await Libp2pNetwork.create({
    config: {
      listen: { host: '127.0.0.1', port: 0 },
      peers,
      network: identity,
      role: key === undefined ? 'full' : 'sequencer',
      ...(limits ? { limits } : {}),
    },
    nodeKey: seed(n),
    ...(key === undefined
      ? {}
      : { signer: new GuardedSigner({ secretKey: keyOf(key), domain, record: new MemorySigningRecord() }) }),
    ...options,
  })
  toClose.push(network)
  return network
}

const meets = (network: Libp2pNetwork, id?: string) =>
  new Promise<Peer>(resolve => network.onConnect(peer => (!id || peer.id === id) && resolve(peer)))
const parts = (network: Libp2pNetwork, id: string) =>
  new Promise<Peer>(resolve => network.onDisconnect(peer => peer.id === id && resolve(peer)))
const portOf = (network: Libp2pNetwork) => Number(network.addresses()[0]!.split('/')[4])

/** Sockets that opened with these bytes, and a promise of the end of all. */
async function knock(network: Libp2pNetwork, openings: (Uint8Array | null)[]) {
  const sockets = await Promise.all(
    openings.map(async bytes => {
      const socket: Socket = connect(portOf(network), '127.0.0.1').on('error', () => {})
      const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
      socket.resume()
      await Promise.race([once(socket, 'connect'), closed])
      if (bytes) socket.write(bytes)
      return { socket, closed }
    }),
  )
  return { sockets: sockets.map(({ socket }) => socket), ended: Promise.all(sockets.map(({ closed }) => closed)) }
}

type Raw = { send(bytes: Uint8Array): boolean; addEventListener(name: 'close' | 'drain', listener: () => void): void }

type MuxerFactory = ReturnType<ReturnType<typeof yamux>>

/** A node of bare libp2p, connected to the network; `onMuxer` has the encrypted connection and what shares it among streams. */
async function dialBare(
  network: Libp2pNetwork,
  onMuxer: (connection: Raw, muxer: ReturnType<MuxerFactory['createStreamMuxer']>) => void,
  keySeed?: Uint8Array,
) {
  const node = await createLibp2p({
    ...(keySeed && { privateKey: await generateKeyPairFromSeed('Ed25519', keySeed) }),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      () => {
        const factory = yamux({ enableKeepAlive: false })()
        const createStreamMuxer: MuxerFactory['createStreamMuxer'] = connection => {
          const muxer = factory.createStreamMuxer(connection)
          onMuxer(connection, muxer)
          return muxer
        }
        return Object.create(factory, { createStreamMuxer: { value: createStreamMuxer } })
      },
    ],
  })
  toClose.push({ close: async () => node.stop() })
  return node.dial(multiaddr(network.addresses()[0]!))
}

/** Passes the encryption under an identity of its own and then has the bare encrypted connection to write on. */
async function encrypted(network: Libp2pNetwork): Promise<{ raw: Raw; closed: Promise<void> }> {
  let raw: Raw | undefined
  await dialBare(network, connection => {
    raw = connection
  })
  const closed = new Promise<void>(resolve => raw!.addEventListener('close', resolve))
  return { raw: raw!, closed }
}

/** Begins to watch the event loop; the function ends that and gives the longest time (ms) without a turn of a timer. */
function watchStandstill(): () => number {
  let longest = 0
  let last = performance.now()
  const look = () => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }
  const timer = setInterval(look, 10)
  return () => {
    clearInterval(timer)
    look()
    return longest
  }
}

/** A length that never ends, as long as there is room for it. */
function answerWithoutEnd(stream: Raw): void {
  while (stream.send(endless));
}
const endless = new Uint8Array(60_000).fill(0x80)

/** A peer that answers the streams that are opened to it as it likes; whether it leads the handshake. */
async function answering(network: Libp2pNetwork, { leads, answer }: { leads: boolean; answer: (stream: Raw) => void }) {
  let n = 100
  while ((await nodePeerId(seed(n))).id < network.localPeer !== leads) n++
  const takeStreams = (_: Raw, muxer: object) => {
    const hostile = muxer as { onRemoteStream: (stream: Raw) => void; streams: Raw[] }
    hostile.onRemoteStream = stream => {
      hostile.streams.push(stream)
      stream.addEventListener('drain', () => answer(stream))
      answer(stream)
    }
  }
  const connection = await dialBare(network, takeStreams, seed(n))
  const closed = new Promise<void>(resolve => connection.addEventListener('close', () => resolve()))
  const hello = encodeHello({ version: networkVersion, ...identity, role: 'full', binding: null })
  const terms = {
    connection,
    inbound: null,
    hello,
    network: identity,
    isDuplicate: () => false,
    refusalOf: () => null,
    onTurnedAway: () => {},
  }
  if (leads) await agreeOnSession({ ...terms, signal: AbortSignal.timeout(5_000) })
  return { closed }
}

function muxFrame({ type = 0, flags = 0, stream = 0, length = 0 }, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt8(type, 1)
  head.writeUInt16BE(flags, 2)
  head.writeUInt32BE(stream, 4)
  head.writeUInt32BE(length, 8)
  return Buffer.concat([head, payload])
}

describe('a node on the open internet', () => {
  let victim: Libp2pNetwork
  let friend: Libp2pNetwork
  let metrics: PrometheusMetrics
  let lost = 0
  beforeEach(async () => {
    metrics = new PrometheusMetrics()
    victim = await start({
      n: 50,
      metrics,
      limits: { handshakeTimeoutMs: 1_000, requestTimeoutMs: 2_000, silentConnections: 100 },
    })
    victim.onRequest('status', async (_, body) => body)
    await victim.start()
    friend = await start({ n: 3, key: 3, peers: victim.addresses() })
    const met = meets(friend)
    await friend.start()
    await met
    lost = 0
    friend.onDisconnect(() => lost++)
  })

  /** The friend was served all the time, and newcomers still come in. */
  const expectUnharmed = async () => {
    expect(await friend.request(victim.localPeer, 'status', Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 2))
    const newcomer = await start({ n: 4, peers: victim.addresses() })
    const met = meets(newcomer)
    await newcomer.start()
    await met
    expect(lost).toBe(0)
  }

  it('hangs up at every stage before the encryption: garbage, cut-off names, cut-off Noise, silence', async () => {
    const random = new SeededRandom('stages')
    const openings = Array.from({ length: 60 }, (_, i) => {
      const garbage = random.bytes(1 + ((i * 131) % 5_000))
      const stages = [
        garbage,
        null,
        header.subarray(0, 1 + (i % (header.length - 1))),
        header,
        Buffer.concat([header, noiseName]),
        Buffer.concat([header, noiseName, Buffer.from([0, 32]), garbage.subarray(0, 31)]),
        Buffer.concat([header, noiseName, Buffer.from([0, 32]), Buffer.alloc(32, 9)]),
        Buffer.concat([header, noiseName, garbage]),
        Buffer.concat([header, garbage]),
        Buffer.alloc(mebibyte, 0xff),
      ]
      return stages[i % stages.length]!
    })
    const { ended } = await knock(victim, openings)
    await expectUnharmed()
    await ended
    const text = await metrics.text()
    expect(text).toMatch(/morphism_network_refused_connections_total\{reason="NO_MULTISTREAM"\} \d+/)
    expect(text).toMatch(/morphism_network_refused_connections_total\{reason="TOO_SLOW"\} \d+/)
  })

  it('waits for no dribble, at any stage', async () => {
    const whole = Buffer.concat([header, noiseName, Buffer.from([0, 32]), Buffer.alloc(32, 9)])
    const { sockets, ended } = await knock(
      victim,
      Array.from({ length: whole.length }, (_, i) => whole.subarray(0, i)),
    )
    let at = 0
    const dribble = setInterval(() => {
      at++
      for (const [i, socket] of sockets.entries()) if (socket.writable) socket.write(whole.subarray(i + at, i + at + 1))
    }, 100)
    try {
      await ended
    } finally {
      clearInterval(dribble)
    }
    await expectUnharmed()
  })

  it('is not shut by more silent connections than it holds', async () => {
    await knock(victim, Array<null>(300).fill(null))
    await expectUnharmed()
  })

  it('breaks off with who passed the encryption and then speaks garbage, floods or announces what nobody could hold', async () => {
    const random = new SeededRandom('yamux')
    const opening = (stream: number) => muxFrame({ type: 1, flags: 1, stream })
    const attacks: [string, (raw: Raw) => void][] = [
      ['random bytes', raw => raw.send(random.bytes(5_000))],
      [
        'a frame of 4 GiB',
        raw => {
          raw.send(muxFrame({ stream: 1, flags: 1, length: 0xffffffff }))
          for (let i = 0; i < 64; i++) raw.send(new Uint8Array(mebibyte))
        },
      ],
      [
        'pings',
        raw => {
          const pings = Buffer.concat(Array<Buffer>(6_000).fill(muxFrame({ type: 2, flags: 1, length: 1 })))
          raw.send(pings)
        },
      ],
      ['streams', raw => raw.send(Buffer.concat(Array.from({ length: 50 }, (_, i) => opening(2 * i + 1))))],
      [
        'an endless name',
        raw => {
          raw.send(opening(1))
          const name = new Uint8Array(100_000).fill(0x80)
          raw.send(muxFrame({ stream: 1, length: name.length }, name))
        },
      ],
      [
        'a stream of garbage',
        raw => {
          raw.send(opening(1))
          raw.send(muxFrame({ stream: 1, length: 500 }, random.bytes(500)))
        },
      ],
      [
        'bytes for a handshake that never comes',
        raw => {
          raw.send(opening(1))
          const name = Buffer.concat([header, Buffer.from('\x16/morphism/consensus/1\n')])
          raw.send(muxFrame({ stream: 1, length: name.length }, name))
          for (let i = 0; i < 8; i++)
            raw.send(muxFrame({ stream: 1, length: mebibyte / 4 }, new Uint8Array(mebibyte / 4)))
        },
      ],
    ]
    for (const [what, attack] of attacks) {
      const { raw, closed } = await encrypted(victim)
      attack(raw)
      await Promise.race([
        closed,
        // Before the deadline of the handshake would end it.
        new Promise((_, reject) => setTimeout(() => reject(new Error(`${what} was listened to`)), 900).unref()),
      ])
    }
    await expectUnharmed()
    expect(await metrics.text()).toMatch(/morphism_network_misbehaviours_total\{severity="heavy"\} [1-9]/)
  })

  it.each([
    ['follows', 'the handshake'],
    ['leads', 'the channels'],
  ])('breaks off with who %s and answers the streams of %s with garbage without end', async side => {
    const standstillMs = watchStandstill()
    const { closed } = await answering(victim, { leads: side === 'leads', answer: answerWithoutEnd })
    await closed
    expect(standstillMs()).toBeLessThan(1_000)
    expect(await metrics.text()).toMatch(/morphism_network_misbehaviours_total\{severity="heavy"\} 1/)
    await expectUnharmed()
  })

  it('parts with who has a session and agrees to no channels', async () => {
    const { closed } = await answering(victim, { leads: true, answer: () => {} })
    const began = performance.now()
    await closed
    // Before libp2p's own pings would find it mute.
    expect(performance.now() - began).toBeLessThan(9_000)
    await expectUnharmed()
  })

  it('stops at once though connections hang on at every stage', async () => {
    const stages = [null, header, Buffer.concat([header, noiseName])]
    const { sockets } = await knock(
      victim,
      Array.from({ length: 60 }, (_, i) => stages[i % 3]!),
    )
    await expectUnharmed()
    const began = performance.now()
    const closing = victim.close()
    for (const socket of sockets) if (socket.writable) socket.write(Buffer.concat([header, noiseName]))
    await closing
    expect(performance.now() - began).toBeLessThan(900)
  })

  it('closes what is encrypted and then silent', async () => {
    const { closed } = await encrypted(victim)
    await closed
    await expectUnharmed()
  })

  it('answers no endless questions: a peer that asks too fast is refused, and banned when it goes on', async () => {
    const greedy = await start({ n: 5, peers: victim.addresses() })
    const met = meets(greedy)
    await greedy.start()
    await met
    const gone = parts(greedy, victim.localPeer)
    let answered = 0
    let isGone = false
    void gone.then(() => {
      isGone = true
    })
    while (!isGone) {
      const asked = Array.from({ length: 8 }, () => greedy.request(victim.localPeer, 'status', Uint8Array.of(1)))
      for (const result of await Promise.allSettled(asked)) if (result.status === 'fulfilled') answered++
    }
    expect(answered).toBeGreaterThanOrEqual(100)
    expect(await metrics.text()).toContain('morphism_network_bans_total{reason="TOO_MANY_REQUESTS"} 1')
    await expectUnharmed()
  })

  it('takes frames in any pieces, and mutated ones as an offence of their sender alone', async () => {
    const seen: Uint8Array[] = []
    victim.onMessage('transactions', (_, message) => seen.push(message))
    for (let i = 0; i < 200; i++) friend.send(victim.localPeer, 'transactions', new Uint8Array(i * 37).fill(i))
    const { raw, closed } = await encrypted(victim)
    raw.send(muxFrame({ type: 1, flags: 1, stream: 1 }))
    const name = Buffer.concat([header, Buffer.from('\x16/morphism/handshake/1\n')])
    raw.send(muxFrame({ stream: 1, length: name.length }, name))
    const hello = Buffer.concat([frameHead(0xffffff), new Uint8Array(100)])
    raw.send(muxFrame({ stream: 1, length: hello.length }, hello))
    await closed
    await expectUnharmed()
    expect(seen.map(message => message.length)).toEqual(Array.from({ length: 200 }, (_, i) => i * 37))
  })
})

describe('a node that dials', () => {
  it('hangs up on who answers with garbage without end instead of the encryption', async () => {
    const server = createServer()
    const answered = new Promise<void>(resolve =>
      server.once('connection', socket => {
        const answer = () => {
          while (socket.writable && socket.write(endless));
        }
        socket.on('error', () => {}).on('drain', answer)
        socket.resume().once('close', () => resolve())
        answer()
      }),
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as { port: number }
    toClose.push({ close: async () => server.close() })
    const { id } = await nodePeerId(seed(60))
    const dialer = await start({ n: 50, peers: [`/ip4/127.0.0.1/tcp/${port}/p2p/${id}`] })
    const began = performance.now()
    const standstillMs = watchStandstill()
    await dialer.start()
    await answered
    expect(standstillMs()).toBeLessThan(1_000)
    // Before the deadline of the dial would end it.
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})

describe('places for peers', () => {
  it('strangers fill theirs, and a sequencer and a configured peer still come in', async () => {
    const configured = await start({ n: 9 })
    await configured.start()
    const victim = await start({ n: 50, peers: configured.addresses(), limits: { inboundStrangers: 3 } })
    const sequencer = keyOf(7).publicKey()
    victim.recognize(key => Buffer.from(key).equals(Buffer.from(sequencer)))
    const metConfigured = meets(victim, configured.localPeer)
    await victim.start()
    await metConfigured
    for (let n = 10; n < 13; n++) {
      const stranger = await start({ n, peers: victim.addresses() })
      const met = meets(victim, stranger.localPeer)
      await stranger.start()
      await met
    }
    const late = await start({ n: 14, key: 8, peers: victim.addresses() })
    await late.start()
    const real = await start({ n: 15, key: 7, peers: victim.addresses() })
    const met = meets(victim, real.localPeer)
    await real.start()
    await met
    expect(victim.peers()).toHaveLength(5)
    expect(victim.peers().map(({ id }) => id)).not.toContain(late.localPeer)
  })

  it('has one session a consensus key: the newer peer id after a while, never instead of the configured one', async () => {
    const real = await start({ n: 20, key: 7 })
    await real.start()
    const victim = await start({ n: 50, limits: { placeHoldMs: 300 } })
    await victim.start()
    const older = await start({ n: 21, key: 7, peers: victim.addresses() })
    const metOlder = meets(victim, older.localPeer)
    await older.start()
    await metOlder
    const leaves = parts(victim, older.localPeer)
    const newer = await start({ n: 22, key: 7, peers: victim.addresses() })
    const metNewer = meets(victim, newer.localPeer)
    await newer.start()
    await Promise.all([metNewer, leaves])
    expect(victim.peers().map(({ id }) => id)).toEqual([newer.localPeer])
    await older.close()
    await newer.close()

    const pinning = await start({ n: 51, peers: real.addresses(), limits: { placeHoldMs: 0 } })
    const metReal = meets(pinning, real.localPeer)
    await pinning.start()
    await metReal
    let lost = 0
    pinning.onDisconnect(() => lost++)
    const thief = await start({ n: 23, key: 7, peers: pinning.addresses() })
    const turnedAway = new Promise<void>(resolve => thief.onDisconnect(() => resolve()))
    const refusedEarly = new Promise<void>(resolve => setTimeout(resolve, 1_500).unref())
    await thief.start()
    await Promise.race([turnedAway, refusedEarly])
    expect(pinning.peers().map(({ id }) => id)).toEqual([real.localPeer])
    expect(lost).toBe(0)
  })
})
