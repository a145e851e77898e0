import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { bytesEqual } from '../../base/primitives/bytes.js'
import type { Hash32 } from '../../base/primitives/hashes.js'
import { GuardedSigner } from '../keys/guarded-signer.js'
import { MemorySigningRecord } from '../keys/memory-signing-record.js'
import { SeededRandom } from '../random/seeded-random.js'
import { type Logger, silentLogger } from '../telemetry/logger.js'
import { systemClock } from '../time/system-clock.js'
import { frameHead } from './frame-reader.js'
import { encodeHello, networkVersion } from './handshake.js'
import { agreeOnSession, handshakeProtocol } from './handshake-stream.js'
import { InboundDoor } from './inbound-door.js'
import { Libp2pNetwork, type Libp2pNetworkOptions } from './libp2p-network.js'
import { type Connection, createLibp2pNode, type Libp2pNode, nodePeerId, type Stream } from './libp2p-node.js'
import { channelLimits, defaultNetworkLimits, limitsOf, requestKinds } from './network-limits.js'
import type { Peer } from './peer-network.js'
import { channelProtocols } from './peer-session.js'
import { requestProtocol } from './request-streams.js'
import type { AdmissionRefusal } from './session-admission.js'

const domain = { l1ChainId: 1, rollup: `0x${'22'.repeat(20)}` } as const
const hash = (n: number): Hash32 => `0x${n.toString(16).padStart(64, '0')}`
const identity = { l2ChainId: 7, genesisHash: hash(1), domain }
const seed = (n: number) => new Uint8Array(32).fill(n)
const secretKey = BlsSecretKey.fromSeed(seed(99))
const signer = new GuardedSigner({ secretKey, domain, record: new MemorySigningRecord() })
const plainHello = { version: networkVersion, l2ChainId: 7, genesisHash: hash(1), role: 'full', binding: null } as const

/** A logger that tells of the next line with this message. */
class WatchedLogger implements Logger {
  private readonly waiting = new Map<string, (fields: Readonly<Record<string, unknown>>) => void>()
  next(message: string): Promise<Readonly<Record<string, unknown>>> {
    return new Promise(resolve => this.waiting.set(message, resolve))
  }
  debug(message: string, fields = {}) {
    this.waiting.get(message)?.(fields)
  }
  error = silentLogger.error
  info(message: string, fields = {}) {
    this.waiting.get(message)?.(fields)
  }
  warn(message: string, fields = {}) {
    this.waiting.get(message)?.(fields)
  }
  child(): Logger {
    return this
  }
}

const toClose: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of toClose.splice(0).reverse()) await one.close()
})

async function makeNetwork(options: {
  n: number
  port?: number
  peers?: string[]
  logger?: Logger
  config?: Partial<Libp2pNetworkOptions['config']>
}): Promise<Libp2pNetwork> {
  const { n, port = 0, peers = [], logger = silentLogger, config } = options
  const network = await Libp2pNetwork.create({
    config: { listen: { host: '127.0.0.1', port }, peers, network: identity, role: 'full', ...config },
    nodeKey: seed(n),
    logger,
  })
  toClose.push(network)
  return network
}

const connectOf = (network: Libp2pNetwork) => new Promise<Peer>(resolve => network.onConnect(resolve))
const portOf = (network: Libp2pNetwork) => Number(network.addresses()[0]!.split('/')[4])

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A node under the test's control that holds the handshake and then does what the test wants. */
async function makeStranger({
  n,
  hello,
  victim,
  onTurnedAway = () => {},
}: {
  n: number
  hello: Uint8Array
  victim: Libp2pNetwork
  onTurnedAway?: (reason: AdmissionRefusal) => void
}) {
  const node: Libp2pNode = await createLibp2pNode({
    nodeKey: seed(n),
    listen: { host: '127.0.0.1', port: 0 },
    limits: defaultNetworkLimits,
    clock: systemClock,
    door: new InboundDoor(defaultNetworkLimits, { clock: systemClock, isKnownHost: () => true, onRefused: () => {} }),
    isProtocol: () => true,
    refuses: () => false,
  })
  toClose.push({ close: async () => node.stop() })
  const agree = (connection: Connection, inbound: Stream | null) =>
    agreeOnSession({
      connection,
      inbound,
      hello,
      network: identity,
      signal: AbortSignal.timeout(5_000),
      isDuplicate: () => false,
      refusalOf: () => null,
      onTurnedAway,
    })
  let followed: Promise<unknown> | undefined
  const inbound = new Map<string, Stream>()
  await node.handle(handshakeProtocol, (stream, connection) => {
    followed = agree(connection, stream).catch(() => {})
  })
  for (const protocol of channelProtocols.keys())
    await node.handle(protocol, stream => {
      inbound.set(protocol, stream)
    })
  await node.start()
  const connection = await node.dial(multiaddr(victim.addresses()[0]!))
  if (node.peerId.toString() < victim.localPeer) await agree(connection, null).catch(() => {})
  else await followed
  return { node, connection, inbound }
}

describe('Libp2pNetwork: sessions', () => {
  it('makes one session of two dials at once, and keeps order on it', async () => {
    for (let round = 0; round < 5; round++) {
      const ports = [await freePort(), await freePort()]
      const first = await makeNetwork({ n: 1, port: ports[0]! })
      const second = await makeNetwork({ n: 2, port: ports[1]! })
      const addressOf = (network: Libp2pNetwork, i: number) => `/ip4/127.0.0.1/tcp/${ports[i]}/p2p/${network.localPeer}`
      const addresses = [addressOf(first, 0), addressOf(second, 1)]
      const both = await Promise.all(
        [1, 2].map(async (n, i) => {
          await [first, second][i]!.close()
          return makeNetwork({ n, port: ports[i]!, peers: addresses })
        }),
      )
      const events: string[] = []
      const done = both.map((network, i) => {
        network.onConnect(() => events.push(`connect ${i}`))
        network.onDisconnect(() => events.push(`disconnect ${i}`))
        network.onConnect(peer => {
          for (let k = 0; k < 200; k++) network.send(peer.id, 'consensus', Uint8Array.of(k))
        })
        return new Promise<number[]>(resolve => {
          const seen: number[] = []
          network.onMessage('consensus', (_, message) => {
            seen.push(message[0]!)
            if (seen.length === 200) resolve(seen)
          })
        })
      })
      await Promise.all(both.map(network => network.start()))
      for (const seen of await Promise.all(done)) expect(seen).toEqual(Array.from({ length: 200 }, (_, k) => k))
      expect(events.sort()).toEqual(['connect 0', 'connect 1'])
      for (const network of both) await network.close()
    }
  })

  it('says that its port is in use', async () => {
    const first = await makeNetwork({ n: 1 })
    await first.start()
    const second = await makeNetwork({ n: 2, port: portOf(first) })
    await expect(second.start()).rejects.toMatchObject({ name: 'NetworkError', code: 'LISTEN_FAILED' })
  })

  it('says that an address is none', async () => {
    await expect(makeNetwork({ n: 1, peers: ['127.0.0.1:9000'] })).rejects.toMatchObject({ code: 'BAD_ADDRESS' })
    await expect(makeNetwork({ n: 1, peers: ['/ip4/127.0.0.1/tcp/9000'] })).rejects.toMatchObject({
      code: 'BAD_ADDRESS',
    })
  })
})

describe('Libp2pNetwork: strangers', () => {
  let logger: WatchedLogger
  let victim: Libp2pNetwork
  beforeEach(async () => {
    logger = new WatchedLogger()
    victim = await makeNetwork({ n: 50, logger, config: { limits: { handshakeTimeoutMs: 1_000, banMs: 500 } } })
    await victim.start()
  })

  // A peer still can connect after whatever the test did.
  const expectAlive = async () => {
    const friend = await makeNetwork({ n: 3, peers: victim.addresses() })
    const met = connectOf(friend)
    await friend.start()
    expect((await met).id).toBe(victim.localPeer)
  }

  it.each(['leads', 'follows'] as const)('drops with a named reason who is of another network and %s', async side => {
    const cases: [string, Uint8Array][] = [
      ['WRONG_NETWORK', encodeHello({ ...plainHello, genesisHash: hash(2) })],
      ['WRONG_NETWORK', encodeHello({ ...plainHello, l2ChainId: 8 })],
      ['WRONG_VERSION', encodeHello({ ...plainHello, version: 2 })],
      ['MALFORMED_HELLO', Uint8Array.of(1, 2, 3)],
    ]
    let n = 100
    for (const [reason, hello] of cases) {
      const dropped = logger.next('peer dropped')
      while ((await nodePeerId(seed(++n))).id < victim.localPeer !== (side === 'leads'));
      await makeStranger({ n, hello, victim })
      expect(await dropped).toMatchObject({ reason })
    }
    expect(victim.peers()).toEqual([])
  })

  it('drops a peer with a forged or borrowed binding', async () => {
    const borrowed = await signer.signNodeBinding(Uint8Array.of(1, 2, 3))
    for (const [n, signature] of [borrowed, new Uint8Array(96), new Uint8Array(96).fill(255)].entries()) {
      const dropped = logger.next('peer dropped')
      const hello = encodeHello({ ...plainHello, binding: { consensusKey: signer.publicKey, signature } })
      await makeStranger({ n: 10 + n, hello, victim })
      expect(await dropped).toMatchObject({ reason: 'BAD_BINDING' })
    }
    expect(victim.peers()).toEqual([])
  })

  it('drops a peer that announces a frame above the limit', async () => {
    const { connection } = await makeStranger({ n: 11, hello: encodeHello(plainHello), victim })
    const dropped = logger.next('peer dropped')
    const stream = await connection.newStream('/morphism/transactions/1')
    stream.send(frameHead(channelLimits.transactions.messageBytes + 1))
    expect(await dropped).toMatchObject({ reason: 'BAD_FRAME on transactions' })
  })

  const endings = ['a frame above the limit', 'a message that its handler refuses']
  it.each(endings)('lives on when %s comes after more bytes than the rate lets pass', async what => {
    const message = 50_000
    const aboveRate = Math.ceil(limitsOf('evidence', 'stranger').bytesPerSec / message)
    let taken = 0
    const slowed = new Promise<void>(resolve =>
      victim.onMessage('evidence', (from, { length }) => {
        if (length === 1) victim.drop(from.id, { reason: 'BAD_EVIDENCE', severity: 'heavy' })
        if (++taken === aboveRate) resolve()
      }),
    )
    const uncaught: unknown[] = []
    const note = (error: unknown) => uncaught.push(error)
    process.on('uncaughtException', note)
    try {
      const { connection } = await makeStranger({ n: 11, hello: encodeHello(plainHello), victim })
      const dropped = logger.next('peer dropped')
      const stream = await connection.newStream('/morphism/evidence/1')
      for (let sent = 0; sent < aboveRate; sent++)
        stream.send(Buffer.concat([frameHead(message), new Uint8Array(message)]))
      await slowed
      if (what === 'a frame above the limit') stream.send(frameHead(channelLimits.evidence.messageBytes + 1))
      else stream.send(Uint8Array.of(...frameHead(1), 1))
      // More than half of the window, so that there is room to tell of.
      for (let sent = 0; sent < 6; sent++) stream.send(new Uint8Array(message))
      await dropped
      await expectAlive()
    } finally {
      process.off('uncaughtException', note)
    }
    expect(uncaught).toEqual([])
  })

  it('drops a peer that opens a second stream of one channel', async () => {
    const { connection } = await makeStranger({ n: 11, hello: encodeHello(plainHello), victim })
    const dropped = logger.next('peer dropped')
    await connection.newStream('/morphism/consensus/1')
    // The victim may be gone before it has agreed to the second.
    connection.newStream('/morphism/consensus/1').catch(() => {})
    expect(await dropped).toMatchObject({ reason: 'SECOND_STREAM of consensus' })
  })

  it('parts with a peer that does not read its consensus messages, and bounds what waits for it', async () => {
    const met = connectOf(victim)
    const { inbound } = await makeStranger({ n: 11, hello: encodeHello(plainHello), victim })
    const peer = await met
    const parted = logger.next('peer disconnected')
    for (const stream of inbound.values()) stream.pause()
    const message = new Uint8Array(8 << 20)
    for (let sent = 0; sent <= channelLimits.consensus.queueBytes; sent += message.length)
      victim.send(peer.id, 'consensus', message)
    expect(await parted).toMatchObject({ reason: 'SLOW_READER on consensus' })
  })

  it('loses the oldest transactions, not the peer, when it reads them slower than they come', async () => {
    const met = connectOf(victim)
    await makeStranger({ n: 11, hello: encodeHello(plainHello), victim })
    const peer = await met
    const dropped = logger.next('outgoing messages dropped')
    const message = new Uint8Array(1 << 20)
    for (let sent = 0; sent <= channelLimits.transactions.queueBytes; sent += message.length)
      victim.send(peer.id, 'transactions', message)
    expect(await dropped).toEqual({ channel: 'transactions', messages: 1 })
    expect(victim.peers()).toEqual([peer])
  })

  it('closes a connection that never shakes hands', async () => {
    const node = await createLibp2pNode({
      nodeKey: seed(12),
      listen: { host: '127.0.0.1', port: 0 },
      limits: defaultNetworkLimits,
      clock: systemClock,
      door: new InboundDoor(defaultNetworkLimits, { clock: systemClock, isKnownHost: () => true, onRefused: () => {} }),
      isProtocol: () => true,
      refuses: () => false,
    })
    toClose.push({ close: async () => node.stop() })
    await node.start()
    const connection = await node.dial(multiaddr(victim.addresses()[0]!))
    await new Promise(resolve => connection.addEventListener('close', resolve))
    expect(victim.peers()).toEqual([])
  })

  it('survives garbage on its port from 100 connections', async () => {
    const random = new SeededRandom('garbage')
    const sockets = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket: Socket = connect(portOf(victim), '127.0.0.1')
        socket.on('error', () => {})
        await once(socket, 'connect')
        return socket
      }),
    )
    const closed = sockets.map(socket => new Promise(resolve => socket.resume().on('close', resolve)))
    for (const [i, socket] of sockets.entries()) socket.write(random.bytes(1 + i * 97))
    await expectAlive()
    await Promise.all(closed)
  })

  it('serves as many requests of one peer as it allows and refuses the rest', async () => {
    const friend = await makeNetwork({ n: 3, peers: victim.addresses() })
    const met = connectOf(friend)
    await friend.start()
    await met
    let release = () => {}
    const gate = new Promise<void>(resolve => {
      release = resolve
    })
    let running = 0
    let most = 0
    victim.onRequest('status', async (_, body) => {
      most = Math.max(most, ++running)
      await gate
      running--
      return body
    })
    const asked = Array.from({ length: 12 }, (_, i) => friend.request(victim.localPeer, 'status', Uint8Array.of(i)))
    const refused = asked.map(request =>
      request.then(
        () => false,
        () => true,
      ),
    )
    await Promise.any(asked.map(request => request.catch(() => 'refused')))
    release()
    const refusals = (await Promise.all(refused)).filter(Boolean)
    expect(most).toBeLessThanOrEqual(defaultNetworkLimits.servedPerPeer)
    expect(refusals.length).toBe(12 - most)
  })

  it('keeps no place for questions that do not come', async () => {
    victim.onRequest('status', async (_, body) => body)
    for (const n of [11, 12]) {
      const { connection } = await makeStranger({ n, hello: encodeHello(plainHello), victim })
      for (const kind of requestKinds)
        for (let i = 0; i < 2 * defaultNetworkLimits.servedPerPeer; i++)
          await connection.newStream(requestProtocol(kind))
    }
    const friend = await makeNetwork({ n: 3, peers: victim.addresses() })
    const met = connectOf(friend)
    await friend.start()
    await met
    expect(await friend.request(victim.localPeer, 'status', Uint8Array.of(7))).toEqual(Uint8Array.of(7))
  })

  it('serves known peers however much strangers ask', async () => {
    const friend = await makeNetwork({ n: 3 })
    await friend.start()
    const limits = { servedOfStrangers: 2, servedInAll: 3 }
    const server = await makeNetwork({ n: 4, peers: friend.addresses(), config: { limits } })
    server.onRequest('block-range', () => new Promise(() => {}))
    server.onRequest('status', async (_, body) => body)
    const met = connectOf(friend)
    await server.start()
    await met
    const stranger = await makeNetwork({ n: 5, peers: server.addresses() })
    const known = connectOf(stranger)
    await stranger.start()
    await known
    const pending = [1, 2].map(() => stranger.request(server.localPeer, 'block-range', Uint8Array.of(1)))
    for (const request of pending) request.catch(() => {})
    await expect(stranger.request(server.localPeer, 'status', Uint8Array.of(2))).rejects.toThrow('refused')
    expect(await friend.request(server.localPeer, 'status', Uint8Array.of(3))).toEqual(Uint8Array.of(3))
  })

  it('parts with the stranger that holds most memory by frames it does not end', async () => {
    const watched = new WatchedLogger()
    const limits = { unfinishedBytesOfStrangers: 2 << 20 }
    const bounded = await makeNetwork({ n: 51, logger: watched, config: { limits } })
    await bounded.start()
    const begin = async (n: number, bytes: number) => {
      const stranger = await makeStranger({ n, hello: encodeHello(plainHello), victim: bounded })
      const stream = await stranger.connection.newStream('/morphism/consensus/1')
      stream.send(frameHead(channelLimits.consensus.messageBytes))
      for (let at = 0; at < bytes; at += 64 << 10) {
        if (!stream.send(new Uint8Array(64 << 10))) await stream.onDrain()
      }
      return stranger.node.peerId.toString()
    }
    await begin(11, 256 << 10)
    const dropped = watched.next('peer dropped')
    const most = begin(12, 4 << 20).catch(() => {})
    expect(await dropped).toMatchObject({ reason: 'UNFINISHED_FRAMES', peer: (await nodePeerId(seed(12))).id })
    await most
    expect(bounded.peers().map(({ id }) => id)).toEqual([(await nodePeerId(seed(11))).id])
  })

  it('delivers consensus messages while transactions flood the same peer', async () => {
    const friend = await makeNetwork({ n: 3, peers: victim.addresses() })
    const met = connectOf(friend)
    let floodSeen = 0
    victim.onMessage('transactions', () => floodSeen++)
    const vote = new Promise<number>(resolve => victim.onMessage('consensus', () => resolve(floodSeen)))
    await friend.start()
    await met
    const flood = new Uint8Array(100_000)
    const count = 150
    for (let i = 0; i < count; i++) friend.send(victim.localPeer, 'transactions', flood)
    friend.send(victim.localPeer, 'consensus', Uint8Array.of(1))
    expect(await vote).toBeLessThan(count / 2)
  })
})

describe('Libp2pNetwork: a second process with the same keys', () => {
  /** Two peers, of which one leads its handshakes with the twins and the other follows. */
  const makeJudges = async (limits: Libp2pNetworkOptions['config']['limits'] = {}) => {
    const twin = (await nodePeerId(seed(60))).id
    const judges: Libp2pNetwork[] = []
    for (const leads of [true, false]) {
      let n = 100
      while ((await nodePeerId(seed(n))).id < twin !== leads) n++
      const judge = await makeNetwork({ n, config: { limits } })
      await judge.start()
      judges.push(judge)
    }
    return judges
  }
  const startTwin = async (judges: readonly Libp2pNetwork[], { id = 60, logger = silentLogger as Logger } = {}) => {
    const network = await Libp2pNetwork.create({
      config: {
        listen: { host: '127.0.0.1', port: 0 },
        peers: judges.map(judge => judge.addresses()[0]!),
        network: identity,
        role: 'sequencer',
        limits: { placeHoldMs: 1_000 },
      },
      nodeKey: seed(id),
      signer,
      logger,
    })
    toClose.push(network)
    await network.start()
    return network
  }
  const meetAll = (judges: readonly Libp2pNetwork[], network: Libp2pNetwork) =>
    expect
      .poll(() => [network.peers().length, ...judges.map(judge => judge.peers().length)])
      .toEqual([judges.length, ...judges.map(() => 1)])
  const warning = 'another process may run with this node key or consensus key: peers have sessions with it'

  it.each([
    ['peer id', 60, 'PEER_ID_IN_USE'],
    ['consensus key', 61, 'KEY_IN_USE'],
  ])(
    'with the same %s takes no session of the first, and warns',
    async (_, id, reason) => {
      const judges = await makeJudges()
      const first = await startTwin(judges)
      await meetAll(judges, first)
      let lost = 0
      for (const network of [first, ...judges]) network.onDisconnect(() => lost++)
      const logger = new WatchedLogger()
      const warned = logger.next(warning)
      await startTwin(judges, { id, logger })
      expect(await warned).toMatchObject({
        reason,
        peers: expect.arrayContaining(judges.map(judge => judge.localPeer)),
      })
      expect(lost).toBe(0)
      expect(first.peers()).toHaveLength(2)
    },
    20_000,
  )

  it('has the sessions once the first is silent', async () => {
    const judges = await makeJudges({ placeHoldMs: 0 })
    const first = await startTwin(judges)
    await meetAll(judges, first)
    const parted = Promise.all(judges.map(judge => new Promise(resolve => judge.onDisconnect(resolve))))
    await startTwin(judges)
    await parted
  }, 20_000)

  it('gives way to the one that speaks for the key when it does not', async () => {
    const judges = await makeJudges()
    const second = await startTwin(judges)
    await meetAll(judges, second)
    second.speakForKey(false)
    await expect.poll(() => judges.map(judge => judge.peers()[0]?.consensusKey)).toEqual([null, null])
    const first = await startTwin(judges)
    const own = Buffer.from(signer.publicKey).toString('hex')
    const seen = () => judges.map(judge => Buffer.from(judge.peers()[0]?.consensusKey ?? []).toString('hex'))
    await expect.poll(seen, { timeout: 15_000 }).toEqual([own, own])
    await expect.poll(() => first.peers().length).toBe(2)
  }, 20_000)
})

describe('Libp2pNetwork: bindings', () => {
  it('announces the key of a peer whose binding is for its own peer id only', async () => {
    const a = await makeNetwork({ n: 1 })
    const met = connectOf(a)
    await a.start()
    const b = await Libp2pNetwork.create({
      config: { listen: { host: '127.0.0.1', port: 0 }, peers: a.addresses(), network: identity, role: 'sequencer' },
      nodeKey: seed(2),
      signer,
    })
    toClose.push(b)
    await b.start()
    const peer = await met
    expect(peer.consensusKey && bytesEqual(peer.consensusKey, signer.publicKey)).toBe(true)
  })

  describe('a key', () => {
    let logger: WatchedLogger
    let judge: Libp2pNetwork
    beforeEach(async () => {
      logger = new WatchedLogger()
      judge = await makeNetwork({ n: 1, logger })
      await judge.start()
    })
    const speaker = async (id: number) => {
      const network = await Libp2pNetwork.create({
        config: {
          listen: { host: '127.0.0.1', port: 0 },
          peers: judge.addresses(),
          network: identity,
          role: 'sequencer',
        },
        nodeKey: seed(id),
        signer,
      })
      toClose.push(network)
      await network.start()
      return network
    }
    const meets = async (id: number) => {
      const met = connectOf(judge)
      const network = await speaker(id)
      await met
      return network
    }
    const leaves = async (network: Libp2pNetwork) => {
      const left = new Promise<Peer>(resolve => judge.onDisconnect(resolve))
      await network.close()
      await left
    }

    it('whose peer was banned finds no other peer id to speak by', async () => {
      const first = await meets(2)
      judge.drop(first.localPeer, { reason: 'forged vote' })
      const refused = logger.next('peer has no session here')
      const second = await speaker(3)
      expect(await refused).toMatchObject({ peer: second.localPeer, reason: 'its consensus key is banned' })
      expect(judge.peers()).toEqual([])
    })

    it('whose peer left before the verdict finds none either', async () => {
      const first = await meets(2)
      await leaves(first)
      judge.drop(first.localPeer, { reason: 'forged vote' })
      const refused = logger.next('peer has no session here')
      await speaker(3)
      expect(await refused).toMatchObject({ reason: 'its consensus key is banned' })
    })

    it('whose peer left before the verdict loses the session that it has by another peer id', async () => {
      const first = await meets(2)
      await leaves(first)
      const second = await meets(3)
      const parted = logger.next('peer disconnected')
      judge.drop(first.localPeer, { reason: 'forged vote' })
      expect(await parted).toEqual({ peer: second.localPeer, reason: 'its consensus key is banned' })
    })
  })
})
