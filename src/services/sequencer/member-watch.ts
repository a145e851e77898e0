import type { Height, MemberIndex } from '../../base/primitives/quantities.js'
import { isQuorum, memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Peer, PeerId, PeerNetwork } from '../../io/network/peer-network.js'

/** Heights that a member may lag behind before it counts as down: its last votes may come after the decision. */
const maxLagHeights = 2

/**
 * Which members of the set are up: connected, and heard of at a recent height. A proposer that is down is not waited for.
 * What a member claims of its height concerns only how long others wait for it, so nothing of it is verified.
 */
export class MemberWatch {
  private readonly heardOf = new Map<PeerId, Height>()
  private height: Height = 0
  private set: SequencerSet = { setId: 0, members: [], totalPower: 0n }
  private self: MemberIndex | null = null

  constructor(
    private readonly network: Pick<PeerNetwork, 'peers' | 'onDisconnect'>,
    onDown: () => void,
  ) {
    network.onDisconnect(peer => {
      this.heardOf.delete(peer.id)
      onDown()
    })
  }

  startHeight({ height, set, self }: { height: Height; set: SequencerSet; self: MemberIndex | null }): void {
    this.height = height
    this.set = set
    this.self = self
  }

  /** A message of this height came from the peer. */
  heard(peer: Peer, height: Height): void {
    this.heardOf.set(peer.id, Math.max(this.heardOf.get(peer.id) ?? 0, height))
  }

  /** Members that are up, this node among them. */
  up(): Set<MemberIndex> {
    const up = new Set<MemberIndex>()
    if (this.self !== null) up.add(this.self)
    for (const { id, consensusKey } of this.network.peers()) {
      const heard = this.heardOf.get(id)
      if (!consensusKey || heard === undefined || heard < this.height - maxLagHeights) continue
      const member = memberByKey(this.set, consensusKey)
      if (member) up.add(member.index)
    }
    return up
  }

  /** Whether it is pointless to wait for this member's proposal: it is down, and those who are up can do without it. */
  isSkippable(member: MemberIndex): boolean {
    const up = this.up()
    if (up.has(member)) return false
    let power = 0n
    for (const index of up) power += this.set.members[index]!.power
    return isQuorum(this.set, power)
  }
}
