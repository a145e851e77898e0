import { describe, expect, it } from 'vitest'
import { TokenBucket } from './token-bucket.js'

describe('TokenBucket', () => {
  it('lets a second of units pass at once, then as many as time gives', () => {
    const bucket = new TokenBucket(1_000, 0)
    expect(bucket.take(1_000, 0)).toBe(0)
    expect(bucket.take(500, 0)).toBe(500)
    expect(bucket.take(0, 500)).toBe(0)
    expect(bucket.take(1, 500)).toBe(1)
  })

  it('saves up no more than a second of units', () => {
    const bucket = new TokenBucket(1_000, 0)
    expect(bucket.take(1_000, 60_000)).toBe(0)
    expect(bucket.take(1_000, 60_000)).toBe(1_000)
  })

  it('gives single units up to its burst, then as time gives them, and owes nothing', () => {
    const bucket = new TokenBucket(10, 0, 3)
    const tries = (nowMs: number) => Array.from({ length: 5 }, () => bucket.tryTake(nowMs))
    expect(tries(0)).toEqual([true, true, true, false, false])
    expect(tries(200)).toEqual([true, true, false, false, false])
    expect(tries(60_000)).toEqual([true, true, true, false, false])
  })

  it('survives a clock that is set back', () => {
    const bucket = new TokenBucket(1_000, 60_000)
    expect(bucket.take(1_500, 0)).toBe(500)
    expect(bucket.take(0, 500)).toBe(0)
  })
})
