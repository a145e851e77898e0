import { afterAll, beforeAll, expect, it } from 'vitest'
import { SeedPool } from './seed-pool.js'

let pool: SeedPool
beforeAll(() => {
  pool = new SeedPool({ workers: 1 })
})
afterAll(() => pool.close())

it('a node whose disk was full for a moment ends, whatever it was writing, and takes part when it is started again', async () => {
  const events = Array.from({ length: 12 }, (_, i) => ({
    atMs: 2_000 + i * 1_013,
    kind: 'disk-full' as const,
    node: i % 2,
    forMs: 40,
  }))
  const spec = { seed: 'full disk', nodes: 4, heights: 60, scenario: 'crashes' } as const
  const { violation } = await pool.run({ ...spec, schedule: { faulty: [], events } })
  expect(violation).toBeNull()
})
