import type { Logger } from '../telemetry/logger.js'
import type { Clock } from '../time/clock.js'
import type { Hello, NetworkIdentity } from './handshake.js'
import { type Agreement, agreeOnSession } from './handshake-stream.js'
import type { Connection, Stream } from './libp2p-node.js'
import { closeGently } from './libp2p-node.js'
import { NetworkError } from './network-error.js'
import type { NetworkLimits } from './network-limits.js'
import type { PeerId } from './peer-network.js'
import type { PeerSession } from './peer-session.js'
import type { AdmissionRefusal } from './session-admission.js'

export interface HandshakesPorts {
  readonly clock: Clock
  readonly logger: Logger
  readonly hasSession: (connection: Connection) => boolean
  /** Whether the peer has a session that is too young to be replaced by a new connection. */
  readonly isDuplicate: (peer: PeerId) => boolean
  /** Why the peer behind the connection gets no session; null when it does. */
  readonly refusalOf: (connection: Connection, hello: Hello) => AdmissionRefusal | null
  readonly onTurnedAway: (connection: Connection, reason: AdmissionRefusal) => void
  readonly conclude: (connection: Connection, outcome: Agreement) => PeerSession | null
  readonly onBreach: (peer: PeerId) => void
}

/** The handshakes under way on open connections, each with a deadline, no more than so many of those that dialed. */
export class Handshakes {
  /** Resolves with the session, or null when there will be none. */
  private readonly agreeing = new Map<string, Promise<PeerSession | null>>()
  /** Inbound connections without a session yet, oldest first. */
  private readonly inbound = new Map<string, Connection>()

  constructor(
    private readonly config: {
      readonly localPeer: PeerId
      /** What this node says of itself now. */
      readonly hello: () => Uint8Array
      readonly network: NetworkIdentity
      readonly limits: NetworkLimits
    },
    private readonly ports: HandshakesPorts,
  ) {}

  /** A connection is open and encrypted: the side with the lesser peer id leads its handshake. */
  opened(connection: Connection): void {
    const { clock, hasSession } = this.ports
    const { limits, localPeer } = this.config
    if (connection.direction === 'inbound') this.inbound.set(connection.id, connection)
    if (this.inbound.size > limits.pendingHandshakes) this.crowdOut()
    if (localPeer < connection.remotePeer.toString()) {
      void this.agree(connection, null)
      return
    }
    const cancel = clock.schedule(limits.handshakeTimeoutMs, () => {
      if (!this.agreeing.has(connection.id) && !hasSession(connection)) closeGently(connection)
    })
    connection.addEventListener('close', cancel)
  }

  /** The peer leads on this stream. */
  follow(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString()
    const isOpen = !this.agreeing.has(connection.id) && !this.ports.hasSession(connection)
    if (peer < this.config.localPeer && isOpen) void this.agree(connection, stream)
    else this.ports.onBreach(peer)
  }

  /** The connection has its session, or is gone. */
  ended(connection: Connection): void {
    this.inbound.delete(connection.id)
  }

  /** What the handshake of this connection comes to; null when there is none. */
  async outcome(connection: Connection): Promise<PeerSession | null> {
    return (await this.agreeing.get(connection.id)) ?? null
  }

  /** The oldest connection without a session has had most time to shake hands. */
  private crowdOut(): void {
    for (const [id, connection] of this.inbound) {
      this.inbound.delete(id)
      connection.abort(new NetworkError('CONNECTION_REFUSED', 'too many handshakes are under way'))
      return
    }
  }

  /** Runs the handshake; the leader decides which of two connections stays, the follower takes its word. */
  private agree(connection: Connection, inbound: Stream | null): Promise<PeerSession | null> {
    const peer = connection.remotePeer.toString()
    const { hello, network, limits } = this.config
    const agreement = agreeOnSession({
      connection,
      inbound,
      hello: hello(),
      network,
      signal: AbortSignal.timeout(limits.handshakeTimeoutMs),
      isDuplicate: () => this.ports.isDuplicate(peer),
      refusalOf: said => this.ports.refusalOf(connection, said),
      onTurnedAway: reason => this.ports.onTurnedAway(connection, reason),
    }).then(
      outcome => this.ports.conclude(connection, outcome),
      error => {
        this.ports.logger.debug('handshake failed', { peer, error: String((error as Error)?.message ?? error) })
        closeGently(connection)
        return null
      },
    )
    this.agreeing.set(connection.id, agreement)
    void agreement.finally(() => this.agreeing.delete(connection.id))
    return agreement
  }
}
