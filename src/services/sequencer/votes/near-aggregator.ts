import type { Height, MemberIndex, Round } from '../../../base/primitives/quantities.js'
import { memberByKey, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { PeerId, PeerNetwork } from '../../../io/network/peer-network.js'

/** When votes are aggregated on their way. Each node goes by its own: only what a vote costs hangs on it. */
export interface AggregationConfig {
  /** Members of the smallest set that aggregates: in a smaller one a vote to each costs less than another hop. */
  readonly leastMembers: number
  /** Round trip to a member that counts as near. */
  readonly nearMs: number
  /** Heights without an aggregator that let a vote lie, and the most without any after heights that stood still. */
  readonly mistrustHeights: number
}

export const defaultAggregation: AggregationConfig = { leastMembers: 32, nearMs: 10, mistrustHeights: 64 }

/** The round whose votes are aggregated: where a round fails, each vote goes the shortest way. */
export const aggregatedRound: Round = 0

/** A member near this node, itself included. */
export interface NearMember {
  readonly index: MemberIndex
  /** Null for this node itself. */
  readonly peer: PeerId | null
}

/** The members near this node whose connections are up, itself first. */
export function nearMembers({
  set,
  self,
  network,
  nearMs,
}: {
  set: SequencerSet
  self: MemberIndex
  network: Pick<PeerNetwork, 'peers' | 'roundTripMs'>
  nearMs: number
}): NearMember[] {
  const near: NearMember[] = [{ index: self, peer: null }]
  for (const { id, consensusKey } of network.peers()) {
    const member = consensusKey && memberByKey(set, consensusKey)
    if (!member || member.index === self) continue
    const roundTripMs = network.roundTripMs(id)
    if (roundTripMs !== null && roundTripMs <= nearMs) near.push({ index: member.index, peer: id })
  }
  return near
}

/**
 * Who of them aggregates at this height: the first at or after the place that moves by one member a height. Nodes that
 * know almost the same members near them mostly agree, and each has its turn.
 */
export function aggregatorOf({
  near,
  height,
  members,
}: {
  near: readonly NearMember[]
  height: Height
  members: number
}): NearMember {
  const distance = ({ index }: NearMember) => (index - (height % members) + members) % members
  return near.reduce((best, member) => (distance(member) < distance(best) ? member : best))
}
