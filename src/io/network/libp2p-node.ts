import './promise-with-resolvers.js'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { guardNegotiation } from './negotiation-guard.js'
import { NetworkError } from './network-error.js'
import type { NetworkLimits } from './network-limits.js'
import type { PeerId } from './peer-network.js'

export type Libp2pNode = Awaited<ReturnType<typeof createLibp2p>>
export type Connection = ReturnType<Libp2pNode['getConnections']>[number]
export type Stream = Connection['streams'][number]
/** libp2p's own peer id object. */
export type Libp2pPeerId = Connection['remotePeer']

const mib = 1 << 20

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
  knownPeers,
  refuses,
}: {
  nodeKey: Uint8Array
  listen: { host: string; port: number }
  limits: NetworkLimits
  knownPeers: number
  refuses: (peer: PeerId) => boolean
}): Promise<Libp2pNode> {
  const node: Libp2pNode = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', nodeKey),
    addresses: { listen: [`/${listen.host.includes(':') ? 'ip6' : 'ip4'}/${listen.host}/tcp/${listen.port}`] },
    transports: [guardedTcp],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: 64,
        maxOutboundStreams: 64,
        streamOptions: {
          // A paused stream is sent at most a window more, which must fit its buffer.
          maxStreamWindowSize: 2 * mib,
          maxReadBufferLength: 4 * mib,
        },
      }),
    ],
    connectionManager: {
      // The gater below counts inbound connections; peers that this node dials always find a place.
      maxConnections: limits.inboundConnections + 2 * knownPeers + 1,
      inboundConnectionThreshold: Number.MAX_SAFE_INTEGER,
      maxIncomingPendingConnections: 128,
      inboundUpgradeTimeout: limits.handshakeTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: limits.handshakeTimeoutMs,
    },
    // Finds half-open connections; patient, since a busy peer is no dead peer.
    connectionMonitor: { pingInterval: 10_000, pingTimeout: { minTimeout: 10_000, maxTimeout: 20_000 } },
    connectionGater: {
      denyDialPeer: peer => refuses(peer.toString()),
      denyInboundEncryptedConnection: peer => refuses(peer.toString()),
      denyInboundConnection: connection => {
        const inbound = node.getConnections().filter(({ direction }) => direction === 'inbound')
        if (inbound.length >= limits.inboundConnections) return true
        const host = hostOf(connection.remoteAddr)
        if (isLoopback(host)) return false
        return (
          inbound.filter(({ remoteAddr }) => hostOf(remoteAddr) === host).length >= limits.inboundConnectionsPerHost
        )
      },
    },
  })
  return node
}

/** TCP whose inbound connections must speak libp2p from the first byte. */
const guardedTcp: ReturnType<typeof tcp> = components => {
  const transport = tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })(components)
  const createListener = transport.createListener.bind(transport)
  transport.createListener = options => {
    const { upgrader } = options
    const guarded: typeof upgrader = Object.create(upgrader, {
      upgradeInbound: {
        value: (...[connection, ...rest]: Parameters<typeof upgrader.upgradeInbound>) => {
          guardNegotiation(connection, '/noise')
          return upgrader.upgradeInbound(connection, ...rest)
        },
      },
    })
    return createListener({ ...options, upgrader: guarded })
  }
  return transport
}

/** Starts listening. @throws NetworkError LISTEN_FAILED */
export async function startListening(node: Libp2pNode, { host, port }: { host: string; port: number }): Promise<void> {
  try {
    await node.start()
  } catch (error) {
    await node.stop()
    throw new NetworkError(
      'LISTEN_FAILED',
      `cannot listen for peers on ${host}:${port}: is the port in use?`,
      { host, port },
      { cause: error },
    )
  }
}

function hostOf(address: { toString(): string }): string {
  return address.toString().split('/')[2] ?? ''
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}
