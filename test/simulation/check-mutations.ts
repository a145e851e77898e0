import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { AppError } from '../../src/app/app-error.js'
import type { Violation } from './invariants/invariant-watch.js'
import { type Mutation, mutations } from './mutations.js'
import type { SimulationSpec } from './run-simulation.js'
import { SeedPool } from './seed-pool.js'

/** What became of a mutation: the first seed that caught it, or none of them. */
export interface MutationVerdict {
  readonly mutation: Mutation
  readonly caughtBy: { readonly seed: string; readonly violation: Violation } | null
}

const build = new URL('../../', import.meta.url)

/** The runs that a mutation gets. The unmutated code must pass all of them. */
export function mutationSpecs({ scenario, shownBy }: Mutation, seeds: number): SimulationSpec[] {
  const size = { nodes: 4, heights: 40, scenario }
  const drawn = Array.from({ length: seeds }, (_, i) => ({ seed: `mutation-${i}`, ...size }))
  if (!shownBy) return drawn
  const { seed, schedule, tries = 1 } = shownBy
  const shown = Array.from({ length: tries }, (_, i) => ({ seed: i === 0 ? seed : `${seed}-${i}`, schedule, ...size }))
  return [...shown, ...drawn]
}

/** Runs each mutation until a seed catches it, in copies of the compiled project, and tells each verdict as it comes. */
export async function checkMutations({
  seeds,
  workers,
  only = () => true,
  onVerdict,
}: {
  seeds: number
  workers: number
  only?: (mutation: Mutation) => boolean
  onVerdict: (verdict: MutationVerdict) => void
}): Promise<void> {
  const waiting = mutations.filter(only)
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) onVerdict(await check(next, seeds))
    }),
  )
}

async function check(mutation: Mutation, seeds: number): Promise<MutationVerdict> {
  const copy = new URL(`mutants/${mutation.name.replaceAll(/[^a-z0-9]+/gi, '-')}/`, build)
  await mutate(mutation, copy)
  const pool = new SeedPool({ workers: 1, build: copy })
  try {
    for (const spec of mutationSpecs(mutation, seeds)) {
      const { violation } = await pool.run(spec)
      if (violation) return { mutation, caughtBy: { seed: spec.seed, violation } }
    }
    return { mutation, caughtBy: null }
  } finally {
    await pool.close()
    await rm(copy, { recursive: true, force: true })
  }
}

/** A copy of the compiled project with the mutation in it. @throws AppError MUTATION when the code is not as the mutation has it */
async function mutate({ name, without = [], ...first }: Mutation, copy: URL): Promise<void> {
  await rm(copy, { recursive: true, force: true })
  await mkdir(copy, { recursive: true })
  for (const part of ['src', 'test/simulation', 'test/fixtures', 'test/model'])
    await cp(new URL(part, build), new URL(part, copy), {
      recursive: true,
      filter: path => !/\.(map|d\.ts|test\.js)$/.test(path),
    })
  for (const { file, find, replace } of [first, ...without]) {
    const target = new URL(file, copy)
    const text = await readFile(target, 'utf8')
    const count = text.split(find).length - 1
    if (count !== 1) throw new AppError('MUTATION', `${name}: ${file} holds its text ${count} times, not once`)
    await writeFile(
      target,
      text.replace(find, () => replace),
    )
  }
}
