import { describe, expect, it } from 'vitest'
import type { RandomSource } from './random-source.js'
import { SeededRandom } from './seeded-random.js'
import { systemRandom } from './system-random.js'

const sources: [string, () => RandomSource][] = [
  ['system', () => systemRandom],
  ['seeded', () => new SeededRandom('a')],
]

describe.each(sources)('RandomSource: %s', (_, make) => {
  it('gives as many bytes as asked, not the same twice', () => {
    const random = make()
    for (const length of [0, 1, 31, 33, 100]) expect(random.bytes(length)).toHaveLength(length)
    expect(random.bytes(32)).not.toEqual(random.bytes(32))
  })

  it('gives floats in [0, 1) that spread over it', () => {
    const random = make()
    const floats = Array.from({ length: 1_000 }, () => random.float())
    expect(floats.every(x => x >= 0 && x < 1)).toBe(true)
    for (let tenth = 0; tenth < 10; tenth++) expect(floats.some(x => Math.floor(x * 10) === tenth)).toBe(true)
  })
})

describe('SeededRandom', () => {
  it('repeats with its seed, however the bytes are asked for, and differs with another', () => {
    const whole = new SeededRandom('seed').bytes(100)
    const parts = new SeededRandom('seed')
    expect([...parts.bytes(7), ...parts.bytes(60), ...parts.bytes(33)]).toEqual([...whole])
    expect(new SeededRandom('other').bytes(100)).not.toEqual(whole)
  })
})
