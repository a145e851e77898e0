import type { L1BlockHash } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Height } from '../../base/primitives/quantities.js'
import type { Evidence } from '../../base/protocol/evidence.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import { type SetSchedule, setUpdateDelay } from '../../rules/staking/set-schedule.js'
import type { Batcher } from '../../services/batcher/batcher.js'
import type { Chain } from '../../services/chain/chain.js'
import type { L1Follower } from '../../services/l1-follower/l1-follower.js'
import type { JudgingSet } from '../../services/sequencer/evidence-pool.js'
import type { SubmitterPorts } from '../../services/submitter/submitter.js'

/** L1 messages [from, to) up to an origin that this node has followed; gives L1 a moment when it has not. */
export async function knownMessages(
  follower: L1Follower,
  { from, to, origin }: { from: number; to: number; origin: { number: number; hash: L1BlockHash } },
): Promise<readonly L1Message[] | null> {
  for (let tries = 0; tries < 2; tries++) {
    if (follower.canonical(origin.number)?.hash === origin.hash)
      return follower.messages({ from, upToL1Block: origin.number, limit: to - from })
    await follower.refresh()
  }
  return null
}

/** The safe label follows the batches that L1 accepted, the finalized label those that are final there. */
export function keepLabels({
  chain,
  batcher,
  follower,
  fail,
}: {
  chain: Chain
  batcher: Batcher
  follower: L1Follower
  fail: (error: unknown) => void
}): void {
  const heightOf = async (index: number) => (await batcher.batch(index))?.header.lastBlock ?? 0
  const update = async () => {
    const [safe, finalized] = await Promise.all([
      heightOf(follower.lastCommitted()),
      heightOf(follower.lastFinalized()),
    ])
    await chain.setLabels({ safe, finalized })
  }
  follower.onChange(() => void update().catch(fail))
}

/** The batcher as the submitter asks for batches. */
export function submittableBatches(batcher: Batcher): SubmitterPorts['batches'] {
  return {
    batch: index => batcher.batch(index),
    async sidecars(index) {
      const batch = await batcher.batch(index)
      invariant(batch, 'a batch to submit is missing', { index })
      return batch.blobs()
    },
    onCertified(handler) {
      batcher.onCertified(handler)
    },
  }
}

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
