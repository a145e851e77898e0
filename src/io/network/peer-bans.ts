import { type BlsPublicKeyBytes, blsKeyId } from '../../base/crypto/bls.js'
import type { Logger } from '../telemetry/logger.js'
import type { Metrics } from '../telemetry/metrics.js'
import type { Clock } from '../time/clock.js'
import type { Misbehaviour, PeerId } from './peer-network.js'
import { defaultScorePolicy, PeerScores } from './peer-score.js'

/** Remembers what peers did, says who is refused, and tells the operator why. Kept in memory only. */
export class PeerBans {
  private readonly scores: PeerScores

  constructor(
    banMs: number,
    private readonly ports: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics },
  ) {
    this.scores = new PeerScores({ ...defaultScorePolicy, banMs })
  }

  isBanned(peer: PeerId): boolean {
    return this.scores.isBanned(peer, this.ports.clock.nowMs())
  }

  /** Whether whoever speaks for the key is refused: its owner can bind it to as many peer ids as it likes. */
  isKeyBanned(key: BlsPublicKeyBytes): boolean {
    return this.scores.isBanned(blsKeyId(key), this.ports.clock.nowMs())
  }

  /** Points that count against the peer now. */
  points(peer: PeerId): number {
    return this.scores.points(peer, this.ports.clock.nowMs())
  }

  /** Counts a misbehaviour of a peer, and of the key that it speaks for; whether the connection must go. */
  judge(peer: PeerId, key: BlsPublicKeyBytes | null, { reason, detail, severity = 'grave' }: Misbehaviour): boolean {
    const { clock, logger, metrics } = this.ports
    const bannedForMs = this.scores.record(peer, severity, clock.nowMs())
    if (key) this.scores.record(blsKeyId(key), severity, clock.nowMs())
    metrics.counter('morphism_network_misbehaviours_total', 'Misbehaviours of peers', { severity }).inc()
    if (bannedForMs > 0) metrics.counter('morphism_network_bans_total', 'Bans of peers', { reason }).inc()
    const parts = bannedForMs > 0 || severity !== 'light'
    if (parts) logger.warn('peer dropped', { peer, reason, detail, severity, bannedForMs })
    else logger.debug('peer misbehaves', { peer, reason, detail, severity })
    return parts
  }
}
