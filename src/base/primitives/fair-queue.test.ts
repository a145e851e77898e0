import { expect, it } from 'vitest'
import { FairQueue } from './fair-queue.js'

const rest = (queue: FairQueue<string>) => {
  const items: string[] = []
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item)
  return items
}

it('takes callers in turn, and each one’s items in their order', () => {
  const queue = new FairQueue<string>(10)
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) expect(queue.push(item[0], item)).toBeNull()
  expect([queue.shift(), queue.shift()]).toEqual(['a1', 'b1'])
  queue.push('d', 'd1')
  expect(rest(queue)).toEqual(['c1', 'a2', 'b2', 'd1', 'a3'])
})

it('when it is full, the last of who has most gives way, and nobody to who has as much', () => {
  const queue = new FairQueue<string>(4)
  for (const item of ['a1', 'a2', 'a3', 'a4']) queue.push('a', item)
  expect(queue.push('a', 'a5')).toBe('a5')
  expect(queue.push('b', 'b1')).toBe('a4')
  expect(queue.push('b', 'b2')).toBe('a3')
  expect(queue.push('b', 'b3')).toBe('b3')
  expect(queue.push('c', 'c1')).toBe('a2')
  expect(queue.push('d', 'd1')).toBe('b2')
  expect(queue.push('e', 'e1')).toBe('e1')
  expect(rest(queue)).toEqual(['a1', 'b1', 'c1', 'd1'])
})

it('forgets what is taken out', () => {
  const queue = new FairQueue<string>(3)
  for (const item of ['a1', 'a2', 'b1']) queue.push(item[0], item)
  expect([queue.remove('a', 'a1'), queue.remove('a', 'a1'), queue.remove('b', 'b1')]).toEqual([true, false, true])
  queue.push('c', 'c1')
  expect(rest(queue)).toEqual(['a2', 'c1'])
})
