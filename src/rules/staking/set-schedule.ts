import { invariant } from '../../base/primitives/invariant.js'
import type { Height, SetId } from '../../base/primitives/quantities.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import { maxSetSize, type SequencerSet } from '../../base/protocol/sequencer-set.js'

/** Heights from the block that consumes a set update to the first that the new set signs (protocol.md section 3). */
export const setUpdateDelay = 2

/** Why an update keeps the old set: no input can brick the chain. */
export type SetUpdateRefusal = 'too-few-members' | 'too-many-members' | 'no-power' | 'not-newer'

/** Which set signs which height. */
export interface SetSchedule {
  /** The set of a height, from 1; exact up to `setUpdateDelay` heights after the last block whose updates were consumed. */
  setAt(height: Height): SequencerSet
  /** The first height of the set that signs this height. */
  activeFrom(height: Height): Height
  /** The set with this id, if it signs some height. */
  withId(setId: SetId): SequencerSet | undefined
  /** Consumes an update of the block at `height`; heights never fall. Of several updates in one block the last holds. */
  consume(update: { readonly height: Height; readonly set: SequencerSet }): Result<Height, SetUpdateRefusal>
}

/** A schedule in which the genesis set signs from height 1 until an update replaces it. */
export function createSetSchedule({
  genesisSet,
  minSequencers,
}: {
  genesisSet: SequencerSet
  minSequencers: number
}): SetSchedule {
  const turns: { readonly activeFrom: Height; readonly set: SequencerSet }[] = [{ activeFrom: 1, set: genesisSet }]
  let consumedTo: Height = 0

  const turnAt = (height: Height) => turns.findLast(({ activeFrom }) => activeFrom <= height) ?? turns[0]!

  const refusalOf = (set: SequencerSet): SetUpdateRefusal | null => {
    if (set.members.length < minSequencers) return 'too-few-members'
    if (set.members.length > maxSetSize) return 'too-many-members'
    if (set.totalPower === 0n) return 'no-power'
    return set.setId <= turns.at(-1)!.set.setId ? 'not-newer' : null
  }

  return {
    setAt: height => turnAt(height).set,
    activeFrom: height => turnAt(height).activeFrom,
    withId: setId => turns.find(({ set }) => set.setId === setId)?.set,
    consume({ height, set }) {
      invariant(height >= consumedTo, 'set updates are consumed in the order of blocks', { height, consumedTo })
      consumedTo = height
      const refusal = refusalOf(set)
      if (refusal) return refuse(refusal)
      const activeFrom = height + setUpdateDelay
      if (turns.at(-1)!.activeFrom === activeFrom) turns.pop()
      turns.push({ activeFrom, set })
      return ok(activeFrom)
    },
  }
}
