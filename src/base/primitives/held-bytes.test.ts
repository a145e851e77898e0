import { expect, it } from 'vitest'
import { HeldBytes } from './held-bytes.js'

it('gives up who holds most when all hold too much, and nobody before', () => {
  const givenUp: string[] = []
  const held = new HeldBytes<string>(100, holder => givenUp.push(holder))
  held.set('a', 40)
  held.set('b', 60)
  held.set('a', 10)
  held.set('c', 30)
  expect(givenUp).toEqual([])
  held.set('c', 31)
  expect(givenUp).toEqual(['b'])
  held.set('d', 59)
  held.set('c', 0)
  held.set('d', 90)
  expect(givenUp).toEqual(['b'])
  held.set('e', 101)
  expect(givenUp).toEqual(['b', 'e'])
})
