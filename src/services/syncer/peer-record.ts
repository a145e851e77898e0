import type { PeerId } from '../../io/network/peer-network.js'

/** Peers whose answers are remembered; the oldest go. */
const maxPeers = 1_024

/** How peers answered when they were asked for blocks, also after they left: who comes back is what it was. */
export class PeerRecord {
  private readonly delivers = new Map<PeerId, boolean>()

  /** `delivers`: the last answer brought blocks in time; `fails`: nothing, or little and late. */
  of(peer: PeerId): 'delivers' | 'unknown' | 'fails' {
    const delivers = this.delivers.get(peer)
    return delivers === undefined ? 'unknown' : delivers ? 'delivers' : 'fails'
  }

  note(peer: PeerId, delivers: boolean): void {
    this.delivers.delete(peer)
    this.delivers.set(peer, delivers)
    if (this.delivers.size <= maxPeers) return
    for (const oldest of this.delivers.keys()) {
      this.delivers.delete(oldest)
      return
    }
  }
}
