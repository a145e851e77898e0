import type { Logger } from '../telemetry/logger.js'
import type { Gauge, Metrics } from '../telemetry/metrics.js'
import type { Clock } from '../time/clock.js'
import type { Hello } from './handshake.js'
import type { Handshakes } from './handshakes.js'
import type { Connection } from './libp2p-node.js'
import { muxGuardOf } from './mux-guard.js'
import { NetworkError } from './network-error.js'
import type { NetworkLimits } from './network-limits.js'
import type { PeerBans } from './peer-bans.js'
import type { PeerDialer } from './peer-dialer.js'
import type { PeerKinds } from './peer-kinds.js'
import type { Peer, PeerId } from './peer-network.js'
import { PeerSession, type SessionEvents } from './peer-session.js'
import { type AdmissionRefusal, admitSession } from './session-admission.js'

export interface PeerSessionsPorts {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly bans: Pick<PeerBans, 'isKeyBanned' | 'leaves'>
  readonly kinds: Pick<PeerKinds, 'of' | 'refreshHosts'>
  readonly dialer: Pick<PeerDialer, 'knows' | 'connected' | 'disconnected'>
  readonly handshakes: Pick<Handshakes, 'ended'>
  readonly events: SessionEvents
}

/** The sessions of a node, one per peer and consensus key: who gets one, whose it takes, and who is told of it. */
export class PeerSessions {
  private readonly sessions = new Map<PeerId, PeerSession>()
  private readonly connectHandlers = new Set<(peer: Peer) => void>()
  private readonly disconnectHandlers: ((peer: Peer) => void)[] = []
  private readonly count: Gauge
  private isClosed = false

  constructor(
    private readonly limits: NetworkLimits,
    private readonly ports: PeerSessionsPorts,
  ) {
    this.count = ports.metrics.gauge('morphism_network_peers', 'Connected peers')
  }

  /** Those of now, in the order of their beginning; ending one while going through them is safe. */
  all(): readonly PeerSession[] {
    return [...this.sessions.values()]
  }

  of(peer: PeerId): PeerSession | null {
    return this.sessions.get(peer) ?? null
  }

  /** The session that runs over this connection; a peer may have opened others. */
  over(connection: Connection): PeerSession | null {
    const session = this.of(connection.remotePeer.toString())
    return session?.connection.id === connection.id ? session : null
  }

  onConnect(handler: (peer: Peer) => void): () => void {
    this.connectHandlers.add(handler)
    return () => this.connectHandlers.delete(handler)
  }

  onDisconnect(handler: (peer: Peer) => void): void {
    this.disconnectHandlers.push(handler)
  }

  /** Why a peer that says this of itself would get no session, or null. */
  refusalOf(connection: Connection, hello: Hello): AdmissionRefusal | null {
    const peer = peerOf(connection, hello)
    const { refusal } = this.admit(peer, connection)
    if (refusal) this.refused(peer, refusal)
    return refusal
  }

  /** Begins a session and ends those whose place the peer takes; null when it gets none after all. */
  begin(connection: Connection, hello: Hello): PeerSession | null {
    const { bans, kinds, dialer, handshakes, logger, clock, events } = this.ports
    if (this.isClosed) return null
    const peer = peerOf(connection, hello)
    if (peer.consensusKey && bans.isKeyBanned(peer.consensusKey)) {
      this.refused(peer, 'its consensus key is banned')
      return null
    }
    if (!this.makeRoom(peer, connection)) return null
    const kind = kinds.of(peer)
    const session = new PeerSession(peer, connection, kind, { clock, events })
    this.sessions.set(peer.id, session)
    handshakes.ended(connection)
    muxGuardOf(connection).frames.isSession = true
    dialer.connected(peer.id)
    this.changed()
    const address = connection.remoteAddr.toString()
    logger.info('peer connected', { peer: peer.id, role: hello.role, kind, address })
    void session.open(this.limits.handshakeTimeoutMs)
    for (const handler of this.connectHandlers) handler(peer)
    return session
  }

  /** Ends a session with its connection; one that has ended already stays as it is. */
  end(session: PeerSession, reason: string): void {
    const { peer, connection } = session
    if (this.of(peer.id) !== session) return
    const { bans, dialer, events, logger, clock } = this.ports
    this.sessions.delete(peer.id)
    if (peer.consensusKey) bans.leaves(peer.id, peer.consensusKey)
    session.end()
    events.holds(session, 0)
    connection.abort(new NetworkError('PEER_GONE', reason))
    this.changed()
    logger.info('peer disconnected', { peer: peer.id, reason })
    for (const handler of this.disconnectHandlers) handler(peer)
    if (!this.isClosed) dialer.disconnected(peer.id, clock.nowMs() - session.startedAtMs)
  }

  endAll(reason: string): void {
    for (const session of this.all()) this.end(session, reason)
  }

  /** Ends all of them; no other begins. */
  close(reason: string): void {
    this.isClosed = true
    this.endAll(reason)
  }

  private admit(peer: Peer, connection: Connection): ReturnType<typeof admitSession> {
    const { kinds, dialer, clock } = this.ports
    return admitSession({
      peer,
      kind: kinds.of(peer),
      isInbound: connection.direction === 'inbound',
      live: this.sessions.values(),
      isConfigured: id => dialer.knows(id),
      limits: this.limits,
      nowMs: clock.nowMs(),
    })
  }

  private makeRoom(peer: Peer, connection: Connection): boolean {
    const admission = this.admit(peer, connection)
    if (admission.refusal !== null) return false
    for (const id of admission.replaces) {
      const isSameId = id === peer.id
      if (!isSameId)
        this.ports.logger.warn('a consensus key came with a second peer id', { peer: peer.id, replaced: id })
      const reason = isSameId ? 'replaced by a newer connection' : 'its consensus key came with another peer id'
      const old = this.of(id)
      if (old) this.end(old, reason)
    }
    return true
  }

  private refused(peer: Peer, reason: string): void {
    this.ports.logger.info('peer has no session here', { peer: peer.id, reason })
  }

  private changed(): void {
    this.count.set(this.sessions.size)
    this.ports.kinds.refreshHosts()
  }
}

function peerOf(connection: Connection, { binding }: Hello): Peer {
  return { id: connection.remotePeer.toString(), consensusKey: binding?.consensusKey ?? null }
}
