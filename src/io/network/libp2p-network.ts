import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import { HeldBytes } from '../../base/primitives/held-bytes.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { ConsensusSigner } from '../keys/consensus-signer.js'
import { type Logger, silentLogger } from '../telemetry/logger.js'
import { type Counter, type Metrics, silentMetrics } from '../telemetry/metrics.js'
import type { Clock } from '../time/clock.js'
import { systemClock } from '../time/system-clock.js'
import type { Hello, NetworkIdentity, NodeRole } from './handshake.js'
import { encodeHello, networkVersion } from './handshake.js'
import { type Agreement, handshakeProtocol, refusalSeverity } from './handshake-stream.js'
import { Handshakes } from './handshakes.js'
import { lookUpHost } from './host-lookup.js'
import { InboundDoor } from './inbound-door.js'
import {
  type Connection,
  closeGently,
  createLibp2pNode,
  type Libp2pNode,
  nodePeerId,
  type Stream,
  startListening,
} from './libp2p-node.js'
import { muxGuardOf } from './mux-guard.js'
import { NetworkError } from './network-error.js'
import {
  channelLimits,
  defaultNetworkLimits,
  maxRequestBytes,
  type NetworkLimits,
  requestKinds,
} from './network-limits.js'
import { PeerBans } from './peer-bans.js'
import { duplicateWindowMs, PeerDialer } from './peer-dialer.js'
import { PeerKinds } from './peer-kinds.js'
import type { Channel, Misbehaviour, Peer, PeerId, PeerNetwork, RequestKind } from './peer-network.js'
import { channelProtocols, type PeerSession, type SessionEvents } from './peer-session.js'
import { PeerSessions } from './peer-sessions.js'
import { RequestDesk, type RequestHandler } from './request-desk.js'
import { ask, requestProtocol } from './request-streams.js'
import type { AdmissionRefusal } from './session-admission.js'
import { TwinWatch } from './twin-watch.js'

/** What a node's network is made of. */
export interface Libp2pNetworkOptions {
  readonly config: {
    readonly listen: { readonly host: string; readonly port: number }
    /** Multiaddrs ending in `/p2p/<peer id>`; kept dialed. One's own is skipped. */
    readonly peers: readonly string[]
    readonly network: NetworkIdentity
    readonly role: NodeRole
    readonly limits?: Partial<NetworkLimits>
  }
  /** Ed25519 seed, 32 bytes. */
  readonly nodeKey: Uint8Array
  /** Vouches for the peer id; sequencers have one. */
  readonly signer?: Pick<ConsensusSigner, 'publicKey' | 'signNodeBinding'>
  readonly logger?: Logger
  readonly metrics?: Metrics
  readonly clock?: Clock
}

/** What a node says of itself, when it speaks for its consensus key and when it does not. */
interface Hellos {
  readonly withKey: Uint8Array
  readonly withoutKey: Uint8Array
}

type MessageHandler = (from: Peer, message: Uint8Array) => void
const peerProtocols: ReadonlySet<string> = new Set([
  handshakeProtocol,
  ...channelProtocols.keys(),
  ...requestKinds.map(requestProtocol),
])
/**
 * PeerNetwork on libp2p (TCP, Noise, Yamux): one session per peer however many connections both sides opened, one
 * long-lived stream per channel and direction. Register handlers, then `start`.
 */
export class Libp2pNetwork implements PeerNetwork {
  readonly localPeer: PeerId
  private readonly limits: NetworkLimits
  private readonly logger: Logger
  private readonly clock: Clock
  private readonly sessions: PeerSessions
  private readonly handshakes: Handshakes
  private readonly desk: RequestDesk
  private readonly kinds: PeerKinds
  private readonly dialer: PeerDialer
  private readonly messageHandlers = new Map<Channel, MessageHandler>()
  private readonly unfinishedOfStrangers: HeldBytes<PeerSession>
  private readonly counters: { received: Counter; sent: Counter; dropped: Counter }
  private readonly twins: TwinWatch
  private speaksForKey = true
  private closed = false

  private constructor(
    private readonly node: Libp2pNode,
    hellos: Hellos,
    private readonly options: Libp2pNetworkOptions,
    private readonly bans: PeerBans,
  ) {
    this.localPeer = node.peerId.toString()
    this.limits = { ...defaultNetworkLimits, ...options.config.limits }
    this.logger = options.logger ?? silentLogger
    this.clock = options.clock ?? systemClock
    this.dialer = new PeerDialer(options.config.peers, {
      node,
      clock: this.clock,
      isConnected: peer => this.sessions.of(peer) !== null,
      lookUp: lookUpHost,
      hostsChanged: () => this.kinds.refreshHosts(),
    })
    const { dialer } = this
    this.kinds = new PeerKinds({ clock: this.clock, dialer, sessions: () => this.sessions.all() })
    const { clock, limits, localPeer, logger } = this
    this.handshakes = new Handshakes(
      {
        localPeer,
        hello: () => (this.speaksForKey ? hellos.withKey : hellos.withoutKey),
        network: options.config.network,
        limits,
      },
      {
        clock,
        logger,
        hasSession: connection => this.sessions.over(connection) !== null,
        isDuplicate: peer => {
          const current = this.sessions.of(peer)
          return current !== null && clock.nowMs() - current.startedAtMs < duplicateWindowMs
        },
        refusalOf: (connection, hello) => this.sessions.refusalOf(connection, hello),
        onTurnedAway: (connection, reason) => this.onTurnedAway(connection, reason),
        conclude: (connection, outcome) => this.conclude(connection, outcome),
        onBreach: peer => this.drop(peer, { reason: 'BAD_HANDSHAKE', severity: 'heavy' }),
      },
    )
    this.twins = new TwinWatch(limits, { clock, logger })
    this.desk = new RequestDesk(limits, {
      logger,
      onTooFast: peer => this.drop(peer, { reason: 'TOO_MANY_REQUESTS', severity: 'light' }),
      onBug: stopOn,
    })
    this.unfinishedOfStrangers = new HeldBytes(limits.unfinishedBytesOfStrangers, ({ peer }) =>
      this.drop(peer.id, { reason: 'UNFINISHED_FRAMES', severity: 'heavy' }),
    )
    const metrics = options.metrics ?? silentMetrics
    const { kinds, handshakes, sessionEvents: events } = this
    this.sessions = new PeerSessions(limits, { clock, logger, metrics, bans, kinds, dialer, handshakes, events })
    this.counters = {
      received: metrics.counter('morphism_network_received_bytes', 'Bytes of messages received from peers'),
      sent: metrics.counter('morphism_network_sent_bytes', 'Bytes of messages queued for peers'),
      dropped: metrics.counter('morphism_network_dropped_messages', 'Messages that no peer or no queue could take'),
    }
  }

  /** Makes the network without listening or dialing. @throws NetworkError BAD_ADDRESS */
  static async create(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
    const { config, nodeKey, signer, clock = systemClock, logger = silentLogger, metrics = silentMetrics } = options
    const limits = { ...defaultNetworkLimits, ...config.limits }
    const bans = new PeerBans(limits.banMs, { clock, logger, metrics })
    const door = new InboundDoor(limits, {
      clock,
      isKnownHost: host => network.kinds.isKnownHost(host),
      onRefused: reason =>
        metrics
          .counter('morphism_network_refused_connections_total', 'Connections turned away unencrypted', { reason })
          .inc(),
    })
    const node = await createLibp2pNode({
      nodeKey,
      listen: config.listen,
      limits,
      clock,
      door,
      isProtocol: name => peerProtocols.has(name),
      refuses: peer => bans.isBanned(peer),
    })
    const { multihash } = await nodePeerId(nodeKey)
    const { l2ChainId, genesisHash } = config.network
    const hello = (binding: Hello['binding']) =>
      encodeHello({ version: networkVersion, l2ChainId, genesisHash, role: config.role, binding })
    const withoutKey = hello(null)
    const withKey = signer
      ? hello({ consensusKey: signer.publicKey, signature: await signer.signNodeBinding(multihash) })
      : withoutKey
    const network = new Libp2pNetwork(node, { withKey, withoutKey }, options, bans)
    return network
  }

  /** Says which keys are of the sequencer set now: their peers have more room. */
  recognize(isSequencer: (key: BlsPublicKeyBytes) => boolean): void {
    this.kinds.isSequencer = isSequencer
  }

  speakForKey(speaks: boolean): void {
    if (speaks === this.speaksForKey) return
    this.speaksForKey = speaks
    if (!this.options.signer) return
    const reason = speaks ? 'this node speaks for its key again' : 'this node no longer speaks for its key'
    this.sessions.endAll(reason)
    for (const connection of this.node.getConnections()) connection.abort(new NetworkError('PEER_GONE', reason))
  }

  /** Listens and begins to dial the known peers. @throws NetworkError LISTEN_FAILED */
  async start(): Promise<void> {
    const { node } = this
    await node.handle(handshakeProtocol, (stream, connection) => this.handshakes.follow(stream, connection), {
      maxInboundStreams: 1,
    })
    for (const [protocol, channel] of channelProtocols)
      await node.handle(protocol, (stream, connection) => this.acceptChannel(channel, stream, connection), {
        maxInboundStreams: 2,
      })
    for (const kind of requestKinds)
      await node.handle(requestProtocol(kind), (stream, connection) => this.acceptRequest(kind, stream, connection), {
        maxInboundStreams: 2 * this.limits.servedPerPeer,
      })
    node.addEventListener('connection:open', ({ detail }) => this.handshakes.opened(detail))
    node.addEventListener('connection:close', ({ detail }) => this.onConnectionClosed(detail))
    await startListening(node, this.options.config.listen)
    this.dialer.start()
    this.kinds.start()
    this.logger.info('listening for peers', { addresses: this.addresses() })
  }

  /** Multiaddrs with peer id under which this node is reached. */
  addresses(): string[] {
    return this.node.getMultiaddrs().map(address => address.toString())
  }

  peers(): readonly Peer[] {
    return this.sessions.all().map(session => session.peer)
  }

  roundTripMs(peer: PeerId): number | null {
    return this.sessions.of(peer)?.connection.rtt ?? null
  }

  send(peer: PeerId, channel: Channel, message: Uint8Array): void {
    if (message.length > channelLimits[channel].messageBytes)
      throw new InvariantError(`a message of ${message.length} bytes is too large for ${channel}`)
    const session = this.sessions.of(peer)
    if (session) {
      this.counters.sent.inc(message.length)
      session.send(channel, message)
    } else this.counters.dropped.inc()
  }

  onMessage(channel: Channel, handler: MessageHandler): () => void {
    this.messageHandlers.set(channel, handler)
    return () => {
      if (this.messageHandlers.get(channel) === handler) this.messageHandlers.delete(channel)
    }
  }

  onConnect(handler: (peer: Peer) => void): () => void {
    return this.sessions.onConnect(handler)
  }

  onDisconnect(handler: (peer: Peer) => void): void {
    this.sessions.onDisconnect(handler)
  }

  async request(peer: PeerId, kind: RequestKind, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    if (body.length > maxRequestBytes) throw new InvariantError(`a request of ${body.length} bytes is too large`)
    const session = this.sessions.of(peer)
    if (!session) throw new NetworkError('PEER_GONE', `the peer ${peer} is not connected`, { peer, kind })
    return ask({ session, kind, body, timeoutMs: this.limits.requestTimeoutMs, signal })
  }

  onRequest(kind: RequestKind, handler: RequestHandler): void {
    this.desk.setHandler(kind, handler)
  }

  drop(peer: PeerId, misbehaviour: Misbehaviour): void {
    const session = this.sessions.of(peer)
    if (!this.bans.judge(peer, session?.peer.consensusKey ?? null, misbehaviour)) return
    if (session) this.sessions.end(session, misbehaviour.reason)
    for (const connection of this.node.getConnections())
      if (connection.remotePeer.toString() === peer)
        connection.abort(new NetworkError('PEER_GONE', misbehaviour.reason))
    for (const other of this.sessions.all())
      if (other.peer.consensusKey && this.bans.isKeyBanned(other.peer.consensusKey))
        this.sessions.end(other, 'its consensus key is banned')
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.dialer.stop()
    this.kinds.stop()
    this.sessions.close('the node stops')
    await this.node.stop()
  }

  private conclude(connection: Connection, outcome: Agreement): PeerSession | null {
    const id = connection.remotePeer.toString()
    if (outcome.type === 'refused') {
      this.drop(id, { reason: outcome.reason, severity: refusalSeverity[outcome.reason] })
      return null
    }
    const session =
      outcome.type === 'none' || connection.status !== 'open' ? null : this.sessions.begin(connection, outcome.hello)
    if (!session) closeGently(connection)
    return session
  }

  private onTurnedAway(connection: Connection, reason: AdmissionRefusal): void {
    const peer = connection.remotePeer.toString()
    const session = this.sessions.of(peer)
    // The place is in use by this node itself.
    if (session && session.connection.id !== connection.id) return
    this.logger.debug('the peer has no session for this node', { peer, reason })
    this.twins.turnedAway(peer, reason)
    if (session) this.sessions.end(session, `the peer has no session for this node: ${reason}`)
  }

  private readonly sessionEvents: SessionEvents = {
    received: (session, channel, message) => {
      this.counters.received.inc(message.length)
      try {
        this.messageHandlers.get(channel)?.(session.peer, message)
      } catch (error) {
        this.handlerFailed(session.peer.id, channel, error)
      }
    },
    holds: (session, bytes) => this.unfinishedOfStrangers.set(session, session.kind === 'stranger' ? bytes : 0),
    dropped: (channel, messages) => {
      this.counters.dropped.inc(messages)
      this.logger.debug('outgoing messages dropped', { channel, messages })
    },
    failed: (session, { reason, error }) => {
      if (session.signal.aborted) return
      const isMisbehaviour = reason.startsWith('BAD_FRAME') || reason.startsWith('SECOND_STREAM')
      if (isMisbehaviour)
        this.drop(session.peer.id, { reason, severity: 'heavy', ...(error ? { detail: error.message } : {}) })
      else this.sessions.end(session, reason)
    },
  }

  /** A handler that throws on a message blames the message; only a broken invariant blames this node. */
  private handlerFailed(peer: PeerId, where: string, error: unknown): void {
    if (error instanceof InvariantError) stopOn(error)
    if (!(error instanceof MorphismError)) this.logger.error('message handler failed', { where, error })
    const detail = String((error as Error)?.message ?? error)
    this.drop(peer, { reason: `BAD_MESSAGE on ${where}`, severity: 'heavy', detail })
  }

  private acceptChannel(channel: Channel, stream: Stream, connection: Connection): void {
    void this.whenAgreed(connection).then(session => {
      if (session) session.accept(channel, stream)
      else stream.abort(new NetworkError('PEER_GONE', 'no handshake came before the stream'))
    })
  }

  private async acceptRequest(kind: RequestKind, stream: Stream, connection: Connection): Promise<void> {
    const session = await this.whenAgreed(connection)
    if (session) await this.desk.take({ kind, stream, session })
    else stream.abort(new NetworkError('PEER_GONE', 'no handshake came before the request'))
  }

  private async whenAgreed(connection: Connection): Promise<PeerSession | null> {
    return this.sessions.over(connection) ?? (await this.handshakes.outcome(connection))
  }

  private onConnectionClosed(connection: Connection): void {
    this.handshakes.ended(connection)
    const { breach } = muxGuardOf(connection)
    const peer = connection.remotePeer.toString()
    if (breach) this.drop(peer, { reason: breach.code, severity: 'heavy', detail: breach.message })
    const session = this.sessions.over(connection)
    if (session) this.sessions.end(session, 'the connection closed')
    // The peer store would otherwise grow by every identity that ever knocked.
    void this.node.peerStore.delete(connection.remotePeer).catch(() => {})
  }
}

/** Past libp2p, which swallows what its listeners throw: an uncaught error stops the node. */
function stopOn(error: InvariantError): void {
  queueMicrotask(() => {
    throw error
  })
}
