import { describe, expect, it } from 'vitest'
import { MorphismError } from '../../src/base/primitives/morphism-error.js'
import { ConsensusNetwork, type RunReport } from './consensus-network.js'
import { SeededRandom } from './seeded-random.js'

/** Runs the seeds; every honest node must decide, all the same, within a minute of virtual time after the network is stable. */
function runSeeds(seeds: number, shape: { members: number; byzantine: number; stableAtMs: number }): RunReport[] {
  return Array.from({ length: seeds }, (_, seed) => {
    try {
      const report = new ConsensusNetwork(new SeededRandom(seed), shape).run(shape.stableAtMs + 60_000)
      expect(report.decisions.size, 'nodes that decided').toBe(shape.members - shape.byzantine)
      return report
    } catch (error) {
      throw new MorphismError('NETWORK', `seed ${seed} of ${JSON.stringify(shape)}: ${error}`, {}, { cause: error })
    }
  })
}

describe('a network of cores agrees, on a valid block, in the end, and nobody honest signs twice or is framed', () => {
  it('when all is well', () => {
    const reports = runSeeds(30, { members: 4, byzantine: 0, stableAtMs: 0 })
    // Round 0 fails when its proposer alone has no work; round 1 does not wait for work.
    expect(Math.max(...reports.map(report => report.highestRound))).toBeLessThanOrEqual(1)
  })

  it.each([
    { members: 4, byzantine: 0, stableAtMs: 4_000 },
    { members: 4, byzantine: 1, stableAtMs: 4_000 },
    { members: 4, byzantine: 1, stableAtMs: 0 },
    { members: 7, byzantine: 2, stableAtMs: 4_000 },
    { members: 7, byzantine: 2, stableAtMs: 0 },
  ])('$members members, $byzantine of them enemies, messages late and lost for $stableAtMs ms', shape => {
    const reports = runSeeds(shape.members === 4 ? 150 : 60, shape)
    if (shape.stableAtMs > 0) expect(Math.max(...reports.map(report => report.highestRound))).toBeGreaterThan(2)
  })
})
