import { keccak256Hex } from '../../base/crypto/keccak.js'
import { concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import type { BatchIndex, MemberIndex } from '../../base/primitives/quantities.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'

/** Second of L1 from which on anybody may post a batch, as Rollup.sol has it. */
export function turnEndSec({
  timestamp,
  parentCommittedSec,
  submitterTurnSec,
}: {
  /** Of the batch. */
  timestamp: number
  parentCommittedSec: number
  submitterTurnSec: number
}): number {
  return Math.max(timestamp + submitterTurnSec, parentCommittedSec + Math.floor(submitterTurnSec / 5))
}

/**
 * How many members are before this one in line for a batch: 0 for the turn-holder (member batchIndex mod N, as Rollup.sol has
 * it). The others stand in another order for each batch: nobody can hold the places behind a seat.
 */
export function placeInLine({
  set,
  batchIndex,
  member,
}: {
  set: SequencerSet
  batchIndex: BatchIndex
  member: MemberIndex
}): number {
  const holder = batchIndex % set.members.length
  if (member === holder) return 0
  const rankOf = (index: MemberIndex) => keccak256Hex(concatBytes(uintToBytes(batchIndex, 8), uintToBytes(index, 8)))
  const rank = rankOf(member)
  return 1 + set.members.filter(({ index }) => index !== holder && rankOf(index) < rank).length
}

/**
 * How many steps of waiting come before a place: none for the turn-holder, 1 for place 1, 2 for places 2 and 3, 3 for 4 to 9,
 * 4 for 10 to 27 and so on. So silent places, however many, hold a batch up for a few steps, and where many are silent hardly
 * more than one that is live posts in a step.
 */
export function stepsBefore(place: number): number {
  if (place === 0) return 0
  let steps = 1
  for (let last = 1; last < place; last *= 3) steps++
  return steps
}
