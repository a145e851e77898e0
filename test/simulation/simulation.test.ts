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
    [
      'a second vote that came before its block was known made a polka that one node could never see',
      spec('twice', 'aggregation', {
        schedule: {
          faulty: [0],
          events: [
            { atMs: 83, kind: 'slow-disk', node: 0, ms: 299, forMs: 2_196 },
            { atMs: 1_043, kind: 'byzantine', node: 0, behaviour: 'relay-to-all', forMs: 22_518 },
            { atMs: 1_563, kind: 'delay', node: 3, ms: 110, forMs: 2_368 },
            { atMs: 2_793, kind: 'loss', probability: 0.3741032073087991, forMs: 4_571 },
            { atMs: 3_516, kind: 'crash', nodes: [0], power: true, torn: 0.7376008920837194, forMs: 82, logLost: true },
            { atMs: 3_578, kind: 'delay', node: 1, ms: 135, forMs: 2_307 },
            { atMs: 4_386, kind: 'one-way', from: 2, to: 3, forMs: 2_821 },
            { atMs: 4_457, kind: 'slow-disk', node: 2, ms: 217, forMs: 1_558 },
            { atMs: 4_640, kind: 'loss', probability: 0.025245824158191682, forMs: 1_441 },
            { atMs: 5_567, kind: 'slow-disk', node: 1, ms: 206, forMs: 709 },
            { atMs: 6_715, kind: 'byzantine', node: 0, behaviour: 'amnesia', forMs: 4_944 },
            { atMs: 8_034, kind: 'hidden-decision', node: 3, blind: 1, forMs: 2_579 },
            { atMs: 8_163, kind: 'byzantine', node: 0, behaviour: 'split-proposal', forMs: 5_367 },
            { atMs: 8_596, kind: 'crash', nodes: [3], power: false, torn: 0.7548818252980709, forMs: 47 },
            { atMs: 11_321, kind: 'partition', side: [0, 1, 2], forMs: 2_392 },
            {
              atMs: 11_918,
              kind: 'crash',
              nodes: [0],
              power: false,
              torn: 0.6909920137841254,
              forMs: 285,
              logLost: true,
            },
          ],
        },
      }),
    ],
    [
      'a member of a third of the power had left a round by itself, and nobody else could end it',
      spec('9b02d1e5a805', 'chaos', {
        heights: 200,
        schedule: {
          faulty: [2],
          events: [
            { atMs: 12_021, kind: 'l1-reorg', depth: 3 },
            { atMs: 13_143, kind: 'one-way', from: 1, to: 0, forMs: 4_378 },
            { atMs: 13_469, kind: 'partition', side: [0], forMs: 5_442 },
            { atMs: 22_073, kind: 'reordering', probability: 0.17580236885696648, forMs: 1_590 },
            { atMs: 22_897, kind: 'loss', probability: 0.34677411930635577, forMs: 2_221 },
            {
              atMs: 24_766,
              kind: 'crash',
              nodes: [2],
              power: true,
              torn: 0.8596197315491736,
              forMs: 2_695,
              logLost: true,
            },
            { atMs: 24_796, kind: 'crash', nodes: [2], power: true, torn: 0.7268507920671254, forMs: 487 },
            { atMs: 25_046, kind: 'crash', nodes: [1], power: true, torn: 0.5008937402162701, forMs: 325 },
            { atMs: 26_328, kind: 'loss', probability: 0.20523486303165556, forMs: 1_583 },
            { atMs: 26_772, kind: 'one-way', from: 3, to: 0, forMs: 5_349 },
            { atMs: 27_258, kind: 'l1-reorg', depth: 2 },
            { atMs: 27_493, kind: 'disk-full', node: 1, forMs: 7_645 },
            { atMs: 27_767, kind: 'hidden-decision', node: 3, blind: 2, forMs: 4_005 },
            { atMs: 28_310, kind: 'byzantine', node: 2, behaviour: 'forgery', forMs: 1_128 },
            { atMs: 29_217, kind: 'crash', nodes: [0, 2, 3], power: true, torn: 0.48637708695605397, forMs: 295 },
            { atMs: 30_220, kind: 'hidden-decision', node: 3, blind: 2, forMs: 4_146 },
            { atMs: 31_297, kind: 'loss', probability: 0.2687556959502399, forMs: 1_141 },
          ],
        },
      }),
    ],
    [
      'an invalid block was refused for the clock alone, and judged after a crash',
      spec('36fa51469e00', 'chaos', { nodes: 10, heights: 1_000 }),
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
