import fc from 'fast-check'
import { expect, it } from 'vitest'
import { messageWeight } from './message-weight.js'

/** All values in a parsed message but itself. */
function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const items = Object.values(value)
  return items.reduce((sum: number, item) => sum + valuesIn(item), items.length)
}

it('counts no fewer values than parsing finds, and few more', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), text => {
      const values = valuesIn(JSON.parse(text))
      const counted = messageWeight(text)! / 64
      expect(counted).toBeGreaterThanOrEqual(values)
      expect(counted).toBeLessThanOrEqual(4 * values + 1)
    }),
  )
})

it('looks at nothing in strings, whatever they are', () => {
  for (const inside of ['[{,', '[{,"', '\\', '"', '\\"', 'é\n'])
    for (const count of [0, 1, 2, 10_000]) {
      const text = JSON.stringify([inside.repeat(count), { [inside]: 0 }, 'end'])
      expect([text.slice(0, 50), messageWeight(text)]).toEqual([text.slice(0, 50), 64 * (2 + 2 + 3)])
    }
  expect(messageWeight(JSON.stringify(['0x'.padEnd(5_000_000, 'ab')]))).toBe(64 * 2)
})

it('of too much there is none, parsed or not', () => {
  for (const text of ['[],', '{},', '1,', '[', '{', '[{"a":[0,', '""'])
    expect(messageWeight(text.repeat(60_000))).toBeNull()
  for (const text of [' ', '1', '"\\n']) expect(messageWeight(text.repeat(1_500_000))).toBeNull()
  expect(messageWeight(`["\\n${'x'.repeat(1_500_000)}"]`)).toBeNull()
  for (const text of ['"', '"\\', '"a\\"']) expect(messageWeight(text)).toBeLessThanOrEqual(64)
})
