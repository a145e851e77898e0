import { expect, it } from 'vitest'
import { PacedWork } from './paced-work.js'

/** Steps that each say a name, and cost as much. */
function* saying(said: string[], name: string, { steps, cost }: { steps: number; cost: number }) {
  for (let step = 0; step < steps; step++) {
    said.push(name)
    yield cost
  }
}

const nextTurn = () => new Promise(resolve => setImmediate(resolve))

it('does at once what fits into a turn, of all that is added in it', async () => {
  const work = new PacedWork<'a'>(60_000)
  const said: string[] = []
  for (const name of ['x', 'y', 'z']) work.add('a', saying(said, name, { steps: 2, cost: 150_000 }))
  expect(said).toEqual(['x', 'x', 'y', 'y'])
  await nextTurn()
  expect(said).toEqual(['x', 'x', 'y', 'y', 'z', 'z'])
})

it('gives each lane its share, in the order of the lane', () => {
  const work = new PacedWork<'a' | 'b'>(60_000)
  const said: string[] = []
  work.add('a', saying(said, 'block', { steps: 1, cost: 600_000 }))
  work.add('a', saying(said, 'a', { steps: 2, cost: 0 }))
  work.add('b', saying(said, 'b', { steps: 2, cost: 0 }))
  return expect.poll(() => said).toEqual(['block', 'b', 'a', 'b', 'a'])
})

it('does nothing once closed', async () => {
  const work = new PacedWork<'a'>(60_000)
  const said: string[] = []
  work.add('a', saying(said, 'x', { steps: 2, cost: 600_000 }))
  work.close()
  await nextTurn()
  await nextTurn()
  expect(said).toEqual(['x'])
})
