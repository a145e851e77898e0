import { keccak256Hex } from '../../base/crypto/keccak.js'
import { concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import type { BatchIndex } from '../../base/primitives/quantities.js'
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
 * How many members are before this submitter in line for a batch: 0 for the turn-holder (member batchIndex mod N, as
 * Rollup.sol has it), the size of the set for an account that is not in it. The others stand in another order for each batch:
 * nobody can hold the places behind a seat.
 */
export function placeInLine({
  set,
  batchIndex,
  submitter,
}: {
  set: SequencerSet
  batchIndex: BatchIndex
  submitter: Address
}): number {
  const size = set.members.length
  const holder = batchIndex % size
  const others = set.members
    .filter(({ index }) => index !== holder)
    .map(({ index }) => ({ index, rank: keccak256Hex(concatBytes(uintToBytes(batchIndex, 8), uintToBytes(index, 8))) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
  const line = [holder, ...others.map(({ index }) => index)]
  // One account may submit for several members: its best place counts.
  const place = line.findIndex(index => set.members[index]!.submitter === submitter)
  return place < 0 ? size : place
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
