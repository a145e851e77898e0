import type { DevnetInfo } from './bench-network.js'

/** Steps of a block in the order of their happening: the metric that holds each, and what it is. */
const steps = [
  ['morphism_sequencer_build_seconds', 'build the block (its proposer)'],
  ['morphism_sequencer_validate_seconds', 'judge and execute the proposal'],
  ['morphism_consensus_propose_step_seconds', 'first sign of work to own prevote, in all'],
  ['morphism_consensus_prevote_step_seconds', 'own prevote to own precommit'],
  ['morphism_consensus_precommit_step_seconds', 'own precommit to decision'],
  ['morphism_sequencer_commit_seconds', 'make the block the head'],
] as const

/** Mean time of one step of a block over all sequencers. */
export interface BlockStep {
  readonly step: string
  readonly meanMs: number
  readonly count: number
}

type Totals = ReadonlyMap<string, { readonly sum: number; readonly count: number }>

/** Starts counting; the returned function gives what was counted since. */
export async function countBlockSteps(info: DevnetInfo): Promise<() => Promise<readonly BlockStep[]>> {
  const before = await totals(info)
  return async () => {
    const after = await totals(info)
    return steps.map(([metric, step]) => {
      const sum = after.get(metric)!.sum - before.get(metric)!.sum
      const count = after.get(metric)!.count - before.get(metric)!.count
      return { step, meanMs: count === 0 ? 0 : (sum * 1_000) / count, count }
    })
  }
}

async function totals({ nodes }: DevnetInfo): Promise<Totals> {
  const pages = await Promise.all(
    nodes.filter(({ role }) => role === 'sequencer').map(async ({ metricsUrl }) => (await fetch(metricsUrl)).text()),
  )
  const all = pages.join('\n').split('\n')
  const sumOf = (name: string) =>
    all.reduce((sum, line) => (line.startsWith(`${name} `) ? sum + Number(line.slice(name.length + 1)) : sum), 0)
  return new Map(steps.map(([metric]) => [metric, { sum: sumOf(`${metric}_sum`), count: sumOf(`${metric}_count`) }]))
}
