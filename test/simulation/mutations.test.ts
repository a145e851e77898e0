import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { checkMutations, type MutationVerdict, mutationSpecs } from './check-mutations.js'
import { mutations } from './mutations.js'
import { SeedPool } from './seed-pool.js'

/** Mutations that a seed or two catch; `morphism simulate --mutations` takes the time to show it of all of them. */
const quick = new Set([
  'burned fees are credited twice',
  'lost consensus messages are not sent again',
  'the journal of transactions is not read after a crash',
])

describe('the faults bite', () => {
  it('has at least a dozen mutations, each of code that stands there once', async () => {
    expect(mutations.length).toBeGreaterThanOrEqual(12)
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length)
    for (const { name, file, find } of mutations) {
      const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
      expect({ name, times: text.split(find).length - 1 }).toEqual({ name, times: 1 })
    }
  })

  it('catches mutations of the real code with seeds that the real code passes', async () => {
    const verdicts: MutationVerdict[] = []
    await checkMutations({
      seeds: 3,
      workers: 2,
      only: ({ name }) => quick.has(name),
      onVerdict: verdict => verdicts.push(verdict),
    })
    expect(verdicts).toHaveLength(quick.size)
    const pool = new SeedPool({ workers: 2 })
    try {
      for (const { mutation, caughtBy } of verdicts) {
        expect({ name: mutation.name, isCaught: caughtBy !== null }).toEqual({ name: mutation.name, isCaught: true })
        const spec = mutationSpecs(mutation, 3).find(({ seed }) => seed === caughtBy!.seed)!
        expect((await pool.run(spec)).violation).toBeNull()
      }
    } finally {
      await pool.close()
    }
  }, 300_000)
})
