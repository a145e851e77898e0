import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeedPool } from './seed-pool.js'

let pool: SeedPool
beforeAll(() => {
  pool = new SeedPool({ workers: 2 })
})
afterAll(() => pool.close())

/** Where each node stands and what it lacks, the round that has no quorum given up, and a round: six messages after one another. */
const firstDecisionTrips = 3
const recoveryTrips = 2
/** Time that is not of the wires: disks, and the building of the block. */
const localMs = 20
/** Heights after the start that do not tell what the interval is. */
const settlingHeights = 2

/** Partitions that begin anywhere in a round and last less and more than a round's timeouts. */
const partitions = [
  { lateMs: 0, forMs: 600 },
  { lateMs: 37, forMs: 2_500 },
  { lateMs: 111, forMs: 6_000 },
]
const cases = [4, 7].flatMap(nodes => [5, 40, 120].map(oneWayMs => ({ nodes, oneWayMs })))

describe('a partition that left no quorum heals', () => {
  it.each(cases)('$nodes nodes, $oneWayMs ms one way: blocks come as before within round trips', async network => {
    const { nodes, oneWayMs } = network
    const roundTripMs = 2 * oneWayMs
    const runs = partitions.map(async ({ lateMs, forMs }, seed) => {
      const atMs = 2_000 + 14 * oneWayMs + lateMs
      const side = Array.from({ length: Math.floor(nodes / 2) }, (_, i) => (2 * i + seed) % nodes)
      const schedule = { faulty: [], events: [{ atMs, kind: 'partition' as const, side, forMs }] }
      const spec = { seed: `healing ${seed}`, nodes, heights: 8, scenario: 'calm' as const, oneWayMs, schedule }
      const { violation, decidedAtMs } = await pool.run(spec)
      const intervals = (from: number, to: number) =>
        decidedAtMs.slice(from + 1, to + 1).map((decided, i) => decided - decidedAtMs[from + i]!)
      const first = decidedAtMs.findIndex(decided => decided > atMs + forMs)
      const healthy = intervals(
        settlingHeights,
        decidedAtMs.findLastIndex(decided => decided <= atMs),
      )
      return { violation, first: decidedAtMs[first]! - atMs - forMs, healthy, after: intervals(first, first + 2) }
    })
    for (const { violation, first, healthy, after } of await Promise.all(runs)) {
      expect(violation).toBeNull()
      expect(first).toBeLessThanOrEqual(firstDecisionTrips * roundTripMs + localMs)
      expect(after).toHaveLength(2)
      expect(Math.max(...after)).toBeLessThanOrEqual(Math.max(...healthy) + recoveryTrips * roundTripMs)
    }
  })
})
