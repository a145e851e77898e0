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
 * Rollup.sol has it), the size of the set for an account that is not in it.
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
  // One account may submit for several members: its best place counts.
  const places = set.members
    .filter(member => member.submitter === submitter)
    .map(member => (member.index - holder + size) % size)
  return Math.min(size, ...places)
}
