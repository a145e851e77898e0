import type { Height } from '../../base/primitives/quantities.js'
import type { Evidence } from '../../base/protocol/evidence.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { type SetSchedule, setUpdateDelay } from '../../rules/staking/set-schedule.js'

/**
 * The set by which evidence is judged: of its height, or the one that an attestation's evidence names. None of heights whose
 * set this node, being behind, cannot know yet.
 */
export function judgingSet(
  { sets, height }: { sets: Pick<SetSchedule, 'setAt' | 'withId'>; height: Height },
  evidence: Evidence,
): SequencerSet | undefined {
  if (evidence.kind !== 'duplicate-attestation') {
    const at = evidence.first.height
    return at <= height + setUpdateDelay ? sets.setAt(at) : undefined
  }
  return sets.withId(evidence.setId)
}
