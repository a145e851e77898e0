import './promise-with-resolvers.js'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Clock } from '../time/clock.js'
import { gatherWrites } from './gathered-writes.js'
import type { InboundDoor } from './inbound-door.js'
import { InboundSockets } from './inbound-sockets.js'
import { guardMuxer } from './mux-guard.js'
import { guardNegotiation } from './negotiation-guard.js'
import { NetworkError } from './network-error.js'
import { muxLimits, type NetworkLimits } from './network-limits.js'
import { keepParsedKeys } from './noise-keys.js'
import { readLengthsQuietly } from './noise-lengths.js'
import type { PeerId } from './peer-network.js'
import { untilPortFree } from './port-probe.js'

export type Libp2pNode = Awaited<ReturnType<typeof createLibp2p>>
export type Connection = ReturnType<Libp2pNode['getConnections']>[number]
export type Stream = Connection['streams'][number]
/** libp2p's own peer id object. */
export type Libp2pPeerId = Connection['remotePeer']
export type Libp2pStreamMuxerFactory = ReturnType<ReturnType<typeof yamux>>

/** The peer id of an Ed25519 seed (32 bytes), in text and as the multihash that a NodeBinding signs. */
export async function nodePeerId(seed: Uint8Array): Promise<{ id: PeerId; multihash: Uint8Array }> {
  const id = peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed))
  return { id: id.toString(), multihash: id.toMultihash().bytes }
}

/** TCP + Noise + Yamux, not started. `refuses` decides about a peer once its identity is proven. */
export async function createLibp2pNode({
  nodeKey,
  listen,
  limits,
  clock,
  door,
  isProtocol,
  refuses,
}: {
  nodeKey: Uint8Array
  listen: { host: string; port: number }
  limits: NetworkLimits
  clock: Clock
  door: InboundDoor
  /** Protocols that a peer may open streams for. */
  isProtocol: (name: string) => boolean
  refuses: (peer: PeerId) => boolean
}): Promise<Libp2pNode> {
  const multiplexer = yamux({
    maxInboundStreams: muxLimits.inboundStreams,
    maxOutboundStreams: muxLimits.inboundStreams,
    streamOptions: {
      // A paused stream is sent at most a window more, which must fit its buffer.
      maxStreamWindowSize: muxLimits.frameBytes,
      maxReadBufferLength: 2 * muxLimits.frameBytes,
    },
  })
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', nodeKey),
    addresses: { listen: [`/${listen.host.includes(':') ? 'ip6' : 'ip4'}/${listen.host}/tcp/${listen.port}`] },
    transports: [guardedTcp(door, limits)],
    connectionEncrypters: [noiseWithMultiplexer],
    streamMuxers: [() => guardMuxer(multiplexer(), { clock, isProtocol })],
    connectionManager: {
      // The door counts inbound connections before their encryption, the network counts peers after it.
      maxConnections: Number.MAX_SAFE_INTEGER,
      inboundConnectionThreshold: Number.MAX_SAFE_INTEGER,
      maxIncomingPendingConnections: Number.MAX_SAFE_INTEGER,
      inboundUpgradeTimeout: limits.handshakeTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: limits.handshakeTimeoutMs,
    },
    // Finds half-open connections; patient, since a busy peer is no dead peer.
    connectionMonitor: { pingInterval: 10_000, pingTimeout: { minTimeout: 10_000, maxTimeout: 20_000 } },
    connectionGater: {
      denyDialPeer: peer => refuses(peer.toString()),
      denyInboundEncryptedConnection: peer => refuses(peer.toString()),
    },
  })
}

/** TCP connections whose peer proved an identity. */
const identified = new WeakSet<object>()

/**
 * Noise that agrees on the multiplexer within its handshake, as this implementation always does: a second negotiation
 * would be one more stage to linger in.
 */
const noiseWithMultiplexer: ReturnType<typeof noise> = components => {
  const encrypter = noise()(components)
  keepParsedKeys(encrypter)
  for (const secure of ['secureInbound', 'secureOutbound'] as const) {
    const secureAny = encrypter[secure].bind(encrypter)
    encrypter[secure] = async (connection, options) => {
      const secured = await secureAny(connection, options)
      identified.add(connection)
      readLengthsQuietly(secured.connection)
      if (secured.streamMuxer) return secured
      throw new NetworkError('BAD_NEGOTIATION', 'the peer names no multiplexer in its Noise handshake')
    }
  }
  return encrypter
}

/**
 * TCP whose inbound connections pass the door and ask for encryption before libp2p spends anything on them, whose outbound
 * ones must agree to it, and which writes once a turn.
 */
function guardedTcp(
  door: InboundDoor,
  { handshakeTimeoutMs }: Pick<NetworkLimits, 'handshakeTimeoutMs'>,
): ReturnType<typeof tcp> {
  return components => {
    const transport = tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })(components)
    const dial = transport.dial.bind(transport)
    transport.dial = (address, options) => {
      const upgrader: typeof options.upgrader = Object.create(options.upgrader, {
        upgradeOutbound: {
          value: (...args: Parameters<typeof upgrader.upgradeOutbound>) => {
            gatherWrites(args[0])
            guardNegotiation(args[0], { isAgreeable: () => true })
            return options.upgrader.upgradeOutbound(...args)
          },
        },
      })
      return dial(address, { ...options, upgrader })
    }
    const createListener = transport.createListener.bind(transport)
    transport.createListener = options => {
      const sockets = new InboundSockets(door)
      const upgrader: typeof options.upgrader = Object.create(options.upgrader, {
        upgradeInbound: {
          value: async (...args: Parameters<typeof upgrader.upgradeInbound>) => {
            const visitor = sockets.visitor()
            const deadline = AbortSignal.timeout(handshakeTimeoutMs)
            gatherWrites(args[0])
            try {
              await options.upgrader.upgradeInbound(...args)
              door.shaken(visitor)
            } catch (error) {
              // Who is refused for its identity is not its neighbours' fault, and slowness may be this node's.
              if (identified.has(args[0]) || deadline.aborted) door.shaken(visitor)
              else door.failed(visitor)
              throw error
            }
          },
        },
      })
      const listener = createListener({ ...options, upgrader })
      sockets.standBefore(listener)
      const close = listener.close.bind(listener)
      listener.close = (...args) => {
        // The server is closed when its last socket is.
        door.close()
        return close(...args)
      }
      return listener
    }
    return transport
  }
}

/** Starts listening. @throws NetworkError LISTEN_FAILED */
export async function startListening(node: Libp2pNode, { host, port }: { host: string; port: number }): Promise<void> {
  try {
    await untilPortFree({ host, port })
    await node.start()
  } catch (error) {
    await node.stop()
    const reason = error instanceof Error ? error.message : String(error)
    throw new NetworkError(
      'LISTEN_FAILED',
      `cannot listen for peers on ${host}:${port}, is the port in use? ${reason}`,
      { host, port },
      { cause: error },
    )
  }
}

/** The host of a multiaddr, as text. */
export function hostOf(address: { toString(): string }): string {
  return address.toString().split('/')[2] ?? ''
}

/** Closes a connection after what was said on it is sent. */
export function closeGently(connection: Connection): void {
  connection.close().catch(error => connection.abort(error as Error))
}
