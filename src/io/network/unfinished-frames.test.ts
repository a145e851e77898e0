import { expect, it } from 'vitest'
import { UnfinishedFrames } from './unfinished-frames.js'

it('gives up who holds most when all hold too much, and nobody before', () => {
  const givenUp: string[] = []
  const frames = new UnfinishedFrames<string>(100, holder => givenUp.push(holder))
  frames.set('a', 40)
  frames.set('b', 60)
  frames.set('a', 10)
  frames.set('c', 30)
  expect(givenUp).toEqual([])
  frames.set('c', 31)
  expect(givenUp).toEqual(['b'])
  frames.set('d', 59)
  frames.set('c', 0)
  frames.set('d', 90)
  expect(givenUp).toEqual(['b'])
  frames.set('e', 101)
  expect(givenUp).toEqual(['b', 'e'])
})
