import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { AppError } from '../../src/app/app-error.js'
import { checkMutations } from './check-mutations.js'
import type { FaultEvent } from './fault-schedule.js'
import type { SimulationResult, SimulationSpec } from './run-simulation.js'
import { type ScenarioName, scenarioNames } from './scenario-names.js'
import { SeedPool, type TimedResult } from './seed-pool.js'
import { shrinkEvents } from './shrink.js'
import { runWideArea } from './wide-area/run-wide-area.js'

/** The flags of `morphism simulate`. */
export interface SimulateFlags {
  readonly seed?: string
  readonly seeds: number
  readonly nodes: string
  readonly heights: number
  readonly scenario: string
  readonly workers: number
  readonly realSignatures?: boolean
  readonly replay?: string
  readonly wideArea?: boolean
  readonly mutations?: boolean | string
  readonly json?: boolean
}

/** Runs of a failing simulation that shrinking may take. */
const maxShrinkRuns = 60

/** Runs what the flags ask for, printing each run; the exit code: 1 when an invariant broke. @throws AppError SIMULATION_FLAGS */
export async function runSimulateCommand(flags: SimulateFlags): Promise<number> {
  if (flags.wideArea) return runWideAreaCommand(flags)
  if (flags.mutations) return runMutations(flags)
  const specs = flags.replay ? [await readReplay(flags.replay)] : specsOf(flags)
  const pool = new SeedPool({
    workers: Math.min(flags.workers, specs.length),
    realSignatures: flags.realSignatures ?? false,
  })
  let failures = 0
  try {
    await Promise.all(
      specs.map(async spec => {
        const result = await pool.run(spec)
        print({ spec, result, json: flags.json ?? false })
        if (!result.violation) return
        failures++
        if (!flags.replay) await leaveSchedule({ pool, spec, result })
      }),
    )
  } finally {
    await pool.close()
  }
  return failures > 0 ? 1 : 0
}

/** Seeds that a mutation gets unless told. */
const mutationSeeds = 20

async function runMutations({ seeds, workers, mutations, json }: SimulateFlags): Promise<number> {
  let survivors = 0
  await checkMutations({
    seeds: seeds > 1 ? seeds : mutationSeeds,
    workers,
    only: ({ name }) => typeof mutations !== 'string' || name.includes(mutations),
    onVerdict({ mutation: { name, scenario }, caughtBy }) {
      if (!caughtBy) survivors++
      if (json) return console.log(JSON.stringify({ name, scenario, caughtBy }))
      const how = caughtBy ? `${caughtBy.violation.invariant}, seed ${caughtBy.seed}` : 'no invariant broke'
      console.log(`${caughtBy ? 'caught  ' : 'SURVIVED'}  ${name}  (${scenario}: ${how})`)
    },
  })
  return survivors > 0 ? 1 : 0
}

/** @throws AppError SIMULATION_FLAGS */
function sizesOf(nodes: string): number[] {
  const sizes = nodes.split(',').map(Number)
  if (!sizes.every(size => Number.isInteger(size) && size >= 1 && size <= 200))
    throw new AppError('SIMULATION_FLAGS', `--nodes ${nodes} is no list of whole numbers from 1 to 200`)
  return sizes
}

function specsOf({ seed, seeds, nodes, heights, scenario }: SimulateFlags): SimulationSpec[] {
  if (!scenarioNames.includes(scenario as ScenarioName))
    throw new AppError('SIMULATION_FLAGS', `there is no scenario ${scenario}: ${scenarioNames.join(', ')}`)
  const sizes = sizesOf(nodes)
  return Array.from({ length: seeds }, (_, i) => ({
    seed: seed === undefined ? randomBytes(6).toString('hex') : seeds === 1 ? seed : `${seed}-${i}`,
    nodes: sizes[i % sizes.length]!,
    heights,
    scenario: scenario as ScenarioName,
  }))
}

function print({ spec, result, json }: { spec: SimulationSpec; result: TimedResult; json: boolean }): void {
  const { seed, nodes, scenario } = spec
  const { violation, digest, heights, transactions, batches, virtualMs, seconds, schedule } = result
  if (json) {
    const faults = schedule.events.length
    const line = {
      seed,
      nodes,
      scenario,
      heights,
      transactions,
      batches,
      faults,
      virtualMs,
      seconds,
      digest,
      violation,
    }
    console.log(JSON.stringify(line))
    return
  }
  const what = `seed ${seed}  ${scenario}  ${nodes} nodes  ${heights} heights  ${schedule.events.length} faults`
  const figures = `${transactions} transactions  ${batches} batches  ${(virtualMs / 1_000).toFixed(1)} s in ${seconds.toFixed(1)} s`
  console.log(`${violation ? 'FAILED' : 'ok    '}  ${what}  ${figures}  ${digest.slice(0, 16)}`)
  if (!violation) return
  console.log(`        ${violation.invariant} at ${violation.atMs} ms: ${violation.detail}`)
}

/** Shrinks the faults of a failure and leaves them in a file that `--replay` takes. */
async function leaveSchedule({
  pool,
  spec,
  result,
}: {
  pool: SeedPool
  spec: SimulationSpec
  result: SimulationResult
}): Promise<void> {
  const { violation, schedule } = result
  const { faulty, events } = schedule
  const failsWith = async (trial: SimulationSpec, fewer: readonly FaultEvent[]) => {
    const again = await pool.run({ ...trial, schedule: { faulty, events: fewer } })
    return again.violation?.invariant === violation!.invariant
  }
  let failing = { trial: spec, events }
  for (const shorter of shorterRuns(spec, result)) {
    if (!(await failsWith(shorter.trial, shorter.events))) continue
    failing = shorter
    break
  }
  const shrunken = await shrinkEvents({
    events: failing.events,
    maxTries: maxShrinkRuns,
    stillFails: fewer => failsWith(failing.trial, fewer),
  })
  const file = `simulation-${spec.scenario}-${spec.nodes}-${spec.seed}.json`
  const replay = { ...failing.trial, schedule: { faulty, events: shrunken } }
  await writeFile(file, `${JSON.stringify(replay, null, 2)}\n`)
  console.error(`        ${events.length} faults shrunk to ${shrunken.length}: morphism simulate --replay ${file}`)
}

/** Heights beyond those that were decided which a run is given to show that it does not fail. */
const fairHeights = 10

/** The failed run with fewer heights, and without the faults after the last decision, or at least without those after the failure. */
function shorterRuns(
  spec: SimulationSpec,
  { schedule: { events }, violation, decidedAtMs }: SimulationResult,
): { trial: SimulationSpec; events: readonly FaultEvent[] }[] {
  // The upgrade is in the middle of the run: with other heights it would be another run.
  const enough = spec.scenario === 'upgrade' ? spec.heights : decidedAtMs.length - 1 + fairHeights
  const trial = { ...spec, heights: Math.min(spec.heights, enough) }
  const lastDecisionMs = Math.max(0, ...decidedAtMs.filter(Number.isFinite))
  return [lastDecisionMs, violation!.atMs].map(untilMs => ({
    trial,
    events: events.filter(({ atMs }) => atMs <= untilMs),
  }))
}

/** @throws AppError SIMULATION_FLAGS */
async function readReplay(file: string): Promise<SimulationSpec> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as SimulationSpec
  } catch (cause) {
    throw new AppError('SIMULATION_FLAGS', `the schedule ${file} cannot be read`, { file }, { cause })
  }
}

/** Bytes of transactions in a block of the wide-area simulation: about 180 transfers. */
const wideAreaBlockBytes = 20_000

async function runWideAreaCommand({ nodes, heights, json }: SimulateFlags): Promise<number> {
  for (const members of sizesOf(nodes)) {
    const report = await runWideArea({ members, heights, transactionBytes: wideAreaBlockBytes })
    if (json) {
      console.log(JSON.stringify(report))
      continue
    }
    const ratio = (report.decisionMs / report.floorMs).toFixed(2)
    console.log(`${members} sequencers over ${report.regions} regions, ${heights} heights, ${report.lateHeights} beyond round 0
  proposal to decision, median node  ${report.decisionMs.toFixed(0)} ms, ${ratio} of the ${report.floorMs.toFixed(0)} ms that latency needs
  block time                         ${report.blockTimeMs.toFixed(0)} ms
  sent by a node                     ${report.megabitPerSec.toFixed(1)} Mbit/s, ${report.kilobytesPerBlock.toFixed(0)} kB a block
  CPU of a node                      ${report.cpuMsPerBlock.toFixed(0)} ms a block`)
  }
  return 0
}
