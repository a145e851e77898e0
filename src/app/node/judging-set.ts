import type { Height } from '../../base/primitives/quantities.js'
import type { Evidence } from '../../base/protocol/evidence.js'
import { type SetSchedule, setUpdateDelay } from '../../rules/staking/set-schedule.js'
import type { JudgingSet } from '../../services/sequencer/evidence-pool.js'

/**
 * The set by which evidence is judged: of its height, or the one that an attestation's evidence names. For a height that
 * this node has not come to, the newest set known: a contradiction by one of its keys is proof, a failure is not.
 */
export function judgingSet(
  { sets, height }: { sets: Pick<SetSchedule, 'setAt' | 'withId'>; height: Height },
  evidence: Evidence,
): JudgingSet | undefined {
  if (evidence.kind !== 'duplicate-attestation') {
    const at = evidence.first.height
    return { set: sets.setAt(at), isCertain: at <= height + setUpdateDelay }
  }
  const set = sets.withId(evidence.setId)
  return set && { set, isCertain: true }
}
