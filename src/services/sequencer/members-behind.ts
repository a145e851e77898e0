import type { MemberIndex } from '../../base/primitives/quantities.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Peer } from '../../io/network/peer-network.js'

/** The members of the set whose keys these peers have proved, and this node itself when it is one. */
export function membersBehind({
  set,
  peers,
  self,
}: {
  set: SequencerSet
  peers: readonly Peer[]
  self: MemberIndex | null
}): Set<MemberIndex> {
  const members = new Set<MemberIndex>(self === null ? [] : [self])
  for (const { consensusKey } of peers) {
    const member = consensusKey && memberByKey(set, consensusKey)
    if (member) members.add(member.index)
  }
  return members
}
