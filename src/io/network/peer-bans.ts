import { type BlsPublicKeyBytes, blsKeyId } from '../../base/crypto/bls.js'
import type { Logger } from '../telemetry/logger.js'
import type { Metrics } from '../telemetry/metrics.js'
import type { Clock } from '../time/clock.js'
import type { Misbehaviour, PeerId } from './peer-network.js'
import { defaultScorePolicy, PeerScores } from './peer-score.js'

/** How long a key answers for a peer that spoke for it and left: what a peer brought may be judged after it is gone. */
const answersMs = 60_000
/** Peers that left whose keys are remembered. */
const maxLeft = 1_024

/** Remembers what peers did, says who is refused, and tells the operator why. Kept in memory only. */
export class PeerBans {
  private readonly scores: PeerScores
  /** By peer and key, in the order in which they left. */
  private readonly left = new Map<string, { readonly peer: PeerId; readonly keyId: string; readonly atMs: number }>()

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

  /** A session of the peer ended in which it spoke for the key. */
  leaves(peer: PeerId, key: BlsPublicKeyBytes): void {
    const keyId = blsKeyId(key)
    const who = `${peer} ${keyId}`
    this.left.delete(who)
    this.left.set(who, { peer, keyId, atMs: this.ports.clock.nowMs() })
    if (this.left.size > maxLeft) this.left.delete(this.left.keys().next().value!)
  }

  /** Counts a misbehaviour of a peer, and of the keys that it speaks for or spoke for lately; whether the connection must go. */
  judge(peer: PeerId, key: BlsPublicKeyBytes | null, { reason, detail, severity = 'grave' }: Misbehaviour): boolean {
    const { clock, logger, metrics } = this.ports
    const nowMs = clock.nowMs()
    const bannedForMs = this.scores.record(peer, severity, nowMs)
    for (const keyId of this.keysOf(peer, key, nowMs)) this.scores.record(keyId, severity, nowMs)
    metrics.counter('morphism_network_misbehaviours_total', 'Misbehaviours of peers', { severity }).inc()
    if (bannedForMs > 0) metrics.counter('morphism_network_bans_total', 'Bans of peers', { reason }).inc()
    const parts = bannedForMs > 0 || severity !== 'light'
    if (parts) logger.warn('peer dropped', { peer, reason, detail, severity, bannedForMs })
    else logger.debug('peer misbehaves', { peer, reason, detail, severity })
    return parts
  }

  private keysOf(peer: PeerId, key: BlsPublicKeyBytes | null, nowMs: number): Set<string> {
    const keys = new Set<string>(key ? [blsKeyId(key)] : [])
    for (const left of this.left.values()) if (left.peer === peer && nowMs - left.atMs < answersMs) keys.add(left.keyId)
    return keys
  }
}
