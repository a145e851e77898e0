import type { NetworkLimits, PeerKind } from './network-limits.js'
import type { Peer, PeerId } from './peer-network.js'

/** A session as admission sees it. */
export interface LiveSession {
  readonly peer: Peer
  readonly kind: PeerKind
  readonly isInbound: boolean
  readonly startedAtMs: number
}

/** Why a peer that shook hands gets no session now; no offence. */
export type AdmissionRefusal = 'KEY_IN_USE' | 'NO_PLACE'

/**
 * Whether a peer gets a session, and whose it takes.
 *
 * Strangers that dialed share `inboundStrangers` places. Sequencers and configured peers are not counted: there are no
 * more of them than the set has keys and the configuration has names, since a consensus key has one session.
 *
 * Of two peer ids with one key the configured one wins, for its operator vouched for it outside the network. Between equals
 * the newer wins once the older session is `keyHoldMs` old: an operator who moved to a new machine gets in though his old
 * connection still lingers, and two machines that run with one key take turns instead of fighting. A binding that was
 * stolen is of no use by itself: the connection's encryption proves the peer id that the key vouched for.
 */
export function admitSession({
  peer,
  kind,
  isInbound,
  live,
  isConfigured,
  limits,
  nowMs,
}: {
  peer: Peer
  kind: PeerKind
  isInbound: boolean
  live: Iterable<LiveSession>
  isConfigured: (peer: PeerId) => boolean
  limits: Pick<NetworkLimits, 'inboundStrangers' | 'keyHoldMs'>
  nowMs: number
}): { readonly refusal: AdmissionRefusal } | { readonly refusal: null; readonly replaces: PeerId | null } {
  let strangers = 0
  let replaces: PeerId | null = null
  for (const session of live) {
    if (session.peer.id === peer.id) continue
    if (session.kind === 'stranger' && session.isInbound) strangers++
    if (!hasSameKey(session.peer, peer)) continue
    const rank = Number(isConfigured(peer.id)) - Number(isConfigured(session.peer.id))
    const isHeld = nowMs - session.startedAtMs < limits.keyHoldMs
    if (rank < 0 || (rank === 0 && isHeld)) return { refusal: 'KEY_IN_USE' }
    replaces = session.peer.id
  }
  const takesPlace = kind === 'stranger' && isInbound && replaces === null
  if (takesPlace && strangers >= limits.inboundStrangers) return { refusal: 'NO_PLACE' }
  return { refusal: null, replaces }
}

function hasSameKey({ consensusKey: a }: Peer, { consensusKey: b }: Peer): boolean {
  return a !== null && b !== null && a.every((byte, i) => byte === b[i])
}
