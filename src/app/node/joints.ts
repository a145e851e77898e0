import type { L1BlockHash } from '../../base/primitives/hashes.js'
import type { BatchHeader } from '../../base/protocol/batch-header.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import { type Clock, pause } from '../../io/time/clock.js'
import type { Batcher } from '../../services/batcher/batcher.js'
import type { Chain } from '../../services/chain/chain.js'
import type { L1Follower } from '../../services/l1-follower/l1-follower.js'
import type { SubmitterPorts } from '../../services/submitter/submitter.js'
import { ComponentError } from './component.js'

/** How long a block from elsewhere may wait for this node's own view of L1, in milliseconds: others wait behind it. */
const maxViewWaitMs = 500

/**
 * L1 messages [from, to) up to an origin that this node has followed; gives L1 a moment when it has not. Null when its view
 * of L1 does not have that origin by then, whether it lags, is on a fork or does not answer.
 */
export async function knownMessages({
  follower,
  clock,
  range: { from, to, origin },
}: {
  follower: Pick<L1Follower, 'canonical' | 'messages' | 'refresh'>
  clock: Clock
  range: { from: number; to: number; origin: { number: number; hash: L1BlockHash } }
}): Promise<readonly L1Message[] | null> {
  const known = () => follower.canonical(origin.number)?.hash === origin.hash
  if (!known()) await within({ limitMs: maxViewWaitMs, clock, task: follower.refresh() })
  return known() ? follower.messages({ from, upToL1Block: origin.number, limit: to - from }) : null
}

async function within({ limitMs, clock, task }: { limitMs: number; clock: Clock; task: Promise<void> }): Promise<void> {
  const over = new AbortController()
  await Promise.race([task, pause(clock, limitMs, over.signal)])
  over.abort()
}

/** The safe label follows the batches that L1 accepted, the finalized label those that are final there, from the start on. */
export function keepLabels({
  chain,
  batcher,
  follower,
  fail,
}: {
  chain: Pick<Chain, 'setLabels'>
  batcher: { batch(index: number): Promise<{ readonly header: Pick<BatchHeader, 'lastBlock'> } | null> }
  follower: Pick<L1Follower, 'lastCommitted' | 'lastFinalized' | 'onChange'>
  fail: (error: unknown) => void
}): void {
  const heightOf = async (index: number) => (await batcher.batch(index))?.header.lastBlock ?? 0
  const move = async () => {
    const [safe, finalized] = await Promise.all([
      heightOf(follower.lastCommitted()),
      heightOf(follower.lastFinalized()),
    ])
    await chain.setLabels({ safe, finalized })
  }
  const update = () => void move().catch(fail)
  follower.onChange(update)
  update()
}

/** The batcher as the submitter asks for batches. */
export function submittableBatches(batcher: Pick<Batcher, 'batch' | 'onCertified'>): SubmitterPorts['batches'] {
  return {
    batch: index => batcher.batch(index),
    async sidecars(index) {
      const batch = await batcher.batch(index)
      if (!batch) throw new ComponentError('COMPONENT_NOT_RUNNING', 'the batcher is away', { index })
      return batch.blobs()
    },
    onCertified: handler => batcher.onCertified(handler),
  }
}
