import { type BlsPublicKeyBytes, blsKeyId } from '../../base/crypto/bls.js'
import type { Clock } from '../time/clock.js'
import { hostOf } from './libp2p-node.js'
import type { PeerKind } from './network-limits.js'
import type { PeerDialer } from './peer-dialer.js'
import type { Peer } from './peer-network.js'
import type { PeerSession } from './peer-session.js'
import { remoteHost } from './remote-host.js'

/** How often a peer that entered or left the sequencer set is noticed. */
const lookMs = 10_000

/** How long the host stays known where a sequencer or a configured peer had its last session. */
const rememberMs = 6 * 3_600_000

/** Who of the peers is a sequencer, who is configured, and which hosts are theirs. */
export class PeerKinds {
  /** Whether a key is of the sequencer set now. */
  isSequencer: (key: BlsPublicKeyBytes) => boolean = () => false
  private hosts: ReadonlySet<string>
  /** The last session of each sequencer, by its key, and of each configured peer: as many as there are of them. */
  private readonly seen = new Map<string, { readonly peer: Peer; readonly host: string; readonly atMs: number }>()
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

  /** Whether a configured peer or a sequencer is at this host, or was lately: it is never banned for what a neighbour does. */
  isKnownHost(host: string): boolean {
    return this.hosts.has(host)
  }

  /** Keeps the kinds of sessions true while the set changes, until `stop`. */
  start(): void {
    this.cancel = this.ports.clock.schedule(lookMs, () => {
      for (const session of this.ports.sessions()) session.kind = this.of(session.peer)
      this.refreshHosts()
      this.start()
    })
  }

  stop(): void {
    this.cancel()
  }

  /** Brings up to date which hosts are known. */
  refreshHosts(): void {
    const { clock, dialer, sessions } = this.ports
    const nowMs = clock.nowMs()
    for (const { kind, peer, connection } of sessions()) {
      if (kind === 'stranger') continue
      const who = kind === 'sequencer' && peer.consensusKey ? blsKeyId(peer.consensusKey) : peer.id
      this.seen.set(who, { peer, host: hostOf(connection.remoteAddr), atMs: nowMs })
    }
    const hosts = dialer.hosts()
    for (const [who, { peer, host, atMs }] of this.seen)
      if (nowMs - atMs >= rememberMs || this.of(peer) === 'stranger') this.seen.delete(who)
      else hosts.push(host)
    this.hosts = new Set(hosts.map(remoteHost))
  }
}
