import { expect, it } from 'vitest'
import { MorphismError } from '../../src/base/primitives/morphism-error.js'
import { CoreAndModel } from './core-and-model.js'
import { SeededRandom } from './seeded-random.js'

it('does what Algorithm 1 does, under 500 random schedules with crashes and Byzantine members', () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 500; seed++) {
    const pair = new CoreAndModel(new SeededRandom(seed))
    try {
      pair.run(120)
    } catch (error) {
      throw new MorphismError('MODEL', `seed ${seed}`, {}, { cause: error })
    }
    for (const event of pair.seen) seen.add(event)
  }
  expect([...seen].sort()).toEqual(
    [
      'aggregate',
      'aggregate dropped',
      'crash',
      'crash with loss',
      'decide',
      'decided by the proposal of another round',
      'early precommit',
      'early prevote',
      'early propose',
      'equivocation',
      'prepare-proposal',
      'proposal dropped',
      'round 0 passed over',
      'round-started',
      'schedule-timeout',
      'sign-proposal',
      'sign-vote',
      'validate',
      'vote dropped',
    ].sort(),
  )
})
