import type { NetworkLimits, PeerKind } from './network-limits.js'
import type { Peer, PeerId } from './peer-network.js'

/** A session as admission sees it. */
export interface LiveSession {
  readonly peer: Peer
  readonly kind: PeerKind
  readonly isInbound: boolean
  /** When the peer was last heard, by whatever it sent. */
  readonly heardAtMs: number
}

/** Why a peer that shook hands gets no session now; no offence. */
export type AdmissionRefusal = 'PEER_ID_IN_USE' | 'KEY_IN_USE' | 'NO_PLACE'

/**
 * Whether a peer gets a session, and whose it takes.
 *
 * Strangers that dialed share `inboundStrangers` places. Sequencers and configured peers are not counted: there are no
 * more of them than the set has keys and the configuration has names, since a consensus key has one session.
 *
 * A peer id and a consensus key have one session each, and who has it keeps it for as long as it is heard: a second process
 * with a copy of the keys takes nothing from the first. An operator who moved to a new machine gets in once the old one was
 * silent for `placeHoldMs`, though its connection lingers. Who ranks higher wins at once: of two peer ids with one key the
 * configured one, for its operator vouched for it outside the network, and of two processes with one peer id the one that
 * speaks for a key, for the other may have given up signing with it. A binding that was stolen is of no use by itself: the connection's
 * encryption proves the peer id that the key vouched for.
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
  limits: Pick<NetworkLimits, 'inboundStrangers' | 'placeHoldMs'>
  nowMs: number
}): { readonly refusal: AdmissionRefusal } | { readonly refusal: null; readonly replaces: readonly PeerId[] } {
  const rankOf = ({ id, consensusKey }: Peer) => Number(isConfigured(id)) + Number(consensusKey !== null)
  let strangers = 0
  const replaces: PeerId[] = []
  for (const session of live) {
    const isSameId = session.peer.id === peer.id
    if (!isSameId && session.kind === 'stranger' && session.isInbound) strangers++
    if (!isSameId && !hasSameKey(session.peer, peer)) continue
    const rank = rankOf(peer) - rankOf(session.peer)
    const isHeld = nowMs - session.heardAtMs < limits.placeHoldMs
    if (rank < 0 || (rank === 0 && isHeld)) return { refusal: isSameId ? 'PEER_ID_IN_USE' : 'KEY_IN_USE' }
    replaces.push(session.peer.id)
  }
  const takesPlace = kind === 'stranger' && isInbound && !replaces.some(id => id !== peer.id)
  if (takesPlace && strangers >= limits.inboundStrangers) return { refusal: 'NO_PLACE' }
  return { refusal: null, replaces }
}

function hasSameKey({ consensusKey: a }: Peer, { consensusKey: b }: Peer): boolean {
  return a !== null && b !== null && a.every((byte, i) => byte === b[i])
}
