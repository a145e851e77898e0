import { expect, it } from 'vitest'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { TokenBuckets } from './token-buckets.js'

it('gives each caller two seconds of its rate at once, and then the rate', async () => {
  const clock = new VirtualClock(1_000)
  const buckets = new TokenBuckets(10, clock)
  expect(buckets.take('a', 21)).toBe(false)
  expect(buckets.take('a', 20)).toBe(true)
  expect(buckets.take('a', 1)).toBe(false)
  expect(buckets.take('b', 20)).toBe(true)
  await clock.advance(500)
  expect(buckets.take('a', 5)).toBe(true)
  expect(buckets.take('a', 1)).toBe(false)
  await clock.advance(60_000)
  expect(buckets.take('a', 21)).toBe(false)
})

it('a rate of 0 is no limit', () => {
  expect(new TokenBuckets(0, new VirtualClock()).take('a', 1e9)).toBe(true)
})

it('remembers a bounded number of callers', () => {
  const buckets = new TokenBuckets(1, new VirtualClock())
  buckets.take('first', 2)
  expect(buckets.take('first', 1)).toBe(false)
  for (let i = 0; i < 10_000; i++) buckets.take(`caller ${i}`, 1)
  expect(buckets.take('first', 2)).toBe(true)
})
