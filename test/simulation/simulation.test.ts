import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FaultSchedule } from './fault-schedule.js'
import type { SimulationSpec } from './run-simulation.js'
import { type ScenarioName, scenarioNames } from './scenario-names.js'
import { SeedPool } from './seed-pool.js'

let pool: SeedPool
beforeAll(() => {
  pool = new SeedPool({ workers: 2 })
})
afterAll(() => pool.close())

const spec = (seed: string, scenario: ScenarioName, more: Partial<SimulationSpec> = {}): SimulationSpec => ({
  seed,
  nodes: 4,
  heights: 30,
  scenario,
  ...more,
})

/** Less than the timeout of a proposal. */
const longestCalmHeightMs = 250

describe('the whole network in virtual time', () => {
  it.each(scenarioNames)('keeps its promises: %s', async scenario => {
    const results = await Promise.all([4, 7].map(nodes => pool.run(spec('fixed', scenario, { nodes }))))
    for (const { violation, heights, transactions, batches } of results) {
      expect(violation).toBeNull()
      expect(heights).toBeGreaterThanOrEqual(30)
      expect(transactions).toBeGreaterThan(10)
      expect(batches).toBeGreaterThan(0)
    }
  })

  /** Failures that were found and mended, as they were shrunk; the commit that mended one names its seed. */
  it.each<[string, SimulationSpec]>([
    [
      'the one message about a head was lost, and nobody else could decide',
      spec('mutation-5', 'byzantine', {
        schedule: { faulty: [0], events: [{ atMs: 7_372, kind: 'hidden-decision', node: 3, blind: 0, forMs: 3_719 }] },
      }),
    ],
    [
      'a vote that a full disk kept from being signed was missing from every quorum',
      spec('mutation-5', 'chaos', {
        schedule: {
          faulty: [0],
          events: [
            { atMs: 2_000, kind: 'byzantine', node: 0, behaviour: 'silence', forMs: 5_000 },
            { atMs: 3_000, kind: 'disk-full', node: 2, forMs: 500 },
          ],
        },
      }),
    ],
  ])('does not fail again: %s', async (_, failed) => {
    expect((await pool.run(failed)).violation).toBeNull()
  })

  it('waits for no timeout of a proposer that lives, though timers fire before their time', async () => {
    const schedule = { faulty: [], events: [] }
    const { violation, decidedAtMs } = await pool.run(
      spec('early timers', 'calm', { heights: 200, oneWayMs: 5, schedule }),
    )
    expect(violation).toBeNull()
    const intervals = decidedAtMs.slice(3).map((decided, i) => decided - decidedAtMs[i + 2]!)
    expect(intervals.length).toBeGreaterThan(190)
    expect(Math.max(...intervals)).toBeLessThan(longestCalmHeightMs)
  })

  it('takes no word of a polka that nobody saw (L28), while some are locked and one has decided', async () => {
    const schedule: FaultSchedule = {
      faulty: [1],
      events: [
        { atMs: 3_000, kind: 'byzantine', node: 1, behaviour: 'false-valid-round', forMs: 9_000 },
        { atMs: 4_000, kind: 'hidden-decision', node: 2, blind: 1, forMs: 8_000 },
      ],
    }
    expect((await pool.run(spec('mutation-0', 'byzantine', { schedule }))).violation).toBeNull()
  })
})

describe('a run follows from its seed alone', () => {
  it.each<ScenarioName>(['chaos', 'crashes'])('%s twice, in two threads, to the byte', async scenario => {
    const [first, second] = await Promise.all([pool.run(spec('twice', scenario)), pool.run(spec('twice', scenario))])
    expect({ ...second, seconds: 0 }).toEqual({ ...first, seconds: 0 })
    expect(first.events).toBeGreaterThan(1_000)
    const other = await pool.run(spec('other', scenario))
    expect(other.digest).not.toBe(first.digest)
  })

  it('is repeated by the schedule that it drew, as JSON', async () => {
    const first = await pool.run(spec('replayed', 'chaos'))
    const replay = JSON.parse(JSON.stringify(spec('replayed', 'chaos', { schedule: first.schedule })))
    const second = await pool.run(replay)
    expect(second.digest).toBe(first.digest)
    const fewer = { ...first.schedule, events: first.schedule.events.slice(1) }
    expect((await pool.run(spec('replayed', 'chaos', { schedule: fewer }))).digest).not.toBe(first.digest)
  })

  it('keeps its promises with the real signatures too', async () => {
    const real = new SeedPool({ workers: 1, realSignatures: true })
    try {
      const schedule = { faulty: [], events: [] }
      expect((await real.run(spec('real', 'calm', { heights: 10, schedule }))).violation).toBeNull()
    } finally {
      await real.close()
    }
  })
})
