import type { Height, MemberIndex } from '../../base/primitives/quantities.js'
import { isQuorum, memberByKey, powerOf, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { PeerNetwork } from '../../io/network/peer-network.js'
import { membersBehind } from './members-behind.js'

/** Heights that a member may lag behind before it counts as down: its last votes may come after the decision. */
const maxLagHeights = 2

/**
 * Which members of the set are up: connected, and heard of at a recent height. A proposer that is down is not waited for.
 * What a member claims of its height concerns only how long others wait for it, so nothing of it is verified.
 */
export class MemberWatch {
  private readonly heardOf = new Map<MemberIndex, Height>()
  private height: Height = 0
  private set: SequencerSet = { setId: 0, members: [], totalPower: 0n }
  private self: MemberIndex | null = null

  constructor(
    private readonly network: Pick<PeerNetwork, 'peers' | 'onDisconnect'>,
    onDown: () => void,
  ) {
    network.onDisconnect(({ consensusKey }) => {
      const member = consensusKey && memberByKey(this.set, consensusKey)
      if (member) this.heardOf.delete(member.index)
      onDown()
    })
  }

  startHeight({ height, set, self }: { height: Height; set: SequencerSet; self: MemberIndex | null }): void {
    if (set.setId !== this.set.setId) this.heardOf.clear()
    this.height = height
    this.set = set
    this.self = self
  }

  /** A message of this height came from the member, or its vote came with those of others. */
  heard(member: MemberIndex, height: Height): void {
    this.heardOf.set(member, Math.max(this.heardOf.get(member) ?? 0, height))
  }

  /** Members that are up, this node among them. */
  up(): Set<MemberIndex> {
    const { set, self, height } = this
    const isHeard = (member: MemberIndex) =>
      (this.heardOf.get(member) ?? Number.NEGATIVE_INFINITY) >= height - maxLagHeights
    const connected = membersBehind({ set, peers: this.network.peers(), self })
    return new Set([...connected].filter(member => member === self || isHeard(member)))
  }

  /** Whether it is pointless to wait for this member's proposal: it is down, and those who are up can do without it. */
  isSkippable(member: MemberIndex): boolean {
    const up = this.up()
    return !up.has(member) && isQuorum(this.set, powerOf(this.set, up))
  }
}
