import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import type { Clock } from '../time/clock.js'
import { hostOf } from './libp2p-node.js'
import type { PeerKind } from './network-limits.js'
import type { PeerDialer } from './peer-dialer.js'
import type { Peer } from './peer-network.js'
import type { PeerSession } from './peer-session.js'
import { remoteHost } from './remote-host.js'

/** How often a peer that entered or left the sequencer set is noticed. */
const lookMs = 10_000

/** Who of the peers is a sequencer, who is configured, and which hosts are theirs. */
export class PeerKinds {
  /** Whether a key is of the sequencer set now. */
  isSequencer: (key: BlsPublicKeyBytes) => boolean = () => false
  private hosts: ReadonlySet<string>
  private cancel = () => {}

  constructor(
    private readonly ports: {
      readonly clock: Clock
      readonly dialer: PeerDialer
      readonly sessions: () => Iterable<PeerSession>
    },
  ) {
    this.hosts = new Set(ports.dialer.hosts().map(remoteHost))
  }

  of({ id, consensusKey }: Peer): PeerKind {
    if (consensusKey && this.isSequencer(consensusKey)) return 'sequencer'
    return this.ports.dialer.knows(id) ? 'configured' : 'stranger'
  }

  /** Whether a configured peer or a connected sequencer is at this host: it is never banned for what a neighbour does. */
  isKnownHost(host: string): boolean {
    return this.hosts.has(host)
  }

  /** Keeps the kinds of sessions true while the set changes, until `stop`. */
  start(): void {
    this.cancel = this.ports.clock.schedule(lookMs, () => {
      for (const session of this.ports.sessions()) session.kind = this.of(session.peer)
      this.sessionsChanged()
      this.start()
    })
  }

  stop(): void {
    this.cancel()
  }

  sessionsChanged(): void {
    const hosts = this.ports.dialer.hosts()
    for (const { kind, connection } of this.ports.sessions())
      if (kind === 'sequencer') hosts.push(hostOf(connection.remoteAddr))
    this.hosts = new Set(hosts.map(remoteHost))
  }
}
