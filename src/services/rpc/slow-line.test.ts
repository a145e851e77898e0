import { expect, it } from 'vitest'
import { JsonText } from '../../base/encoding/json.js'
import { EventLoopTurns } from './event-loop-turns.fixture.js'
import { type AnswerSteps, SlowLine } from './slow-line.js'

const here = (caller: string) => ({ caller, isGone: false })

function* steps(text: string, count = 1): AnswerSteps {
  for (let i = 0; i < count; i++) yield 64 * 1024
  return new JsonText(text)
}

it('makes the answers of callers in turn, each a step of an event-loop turn', async () => {
  const line = new SlowLine()
  const order: string[] = []
  const turns = new EventLoopTurns()
  const ask = (caller: string, text: string) =>
    line.run(here(caller), () => steps(text, 10)).then(({ text }) => order.push(text))
  await Promise.all([ask('a', 'a1'), ask('a', 'a2'), ask('a', 'a3'), ask('b', 'b1')])
  turns.end()
  expect(order).toEqual(['a1', 'a2', 'b1', 'a3'])
  expect(turns.count).toBeGreaterThanOrEqual(39)
})

it('refuses who has most waiting, and nobody else', async () => {
  const line = new SlowLine()
  const many = Promise.allSettled(Array.from({ length: 1_100 }, () => line.run(here('a'), () => steps('a'))))
  expect((await line.run(here('b'), () => steps('b'))).text).toBe('b')
  const refused = (await many).filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(76)
  expect(refused[0]).toMatchObject({ reason: { rpc: { code: -32005 } } })
})

it('works no further for who is gone, and goes on after what failed', async () => {
  const line = new SlowLine()
  const caller = { caller: 'a', isGone: false }
  let made = 0
  const left = line.run(caller, function* () {
    for (; ; made++) {
      if (made === 3) caller.isGone = true
      yield 64 * 1024
    }
  })
  const failed = line.run(here('b'), () => {
    throw new RangeError('no')
  })
  await expect(failed).rejects.toThrow('no')
  await left
  expect(made).toBe(3)
  expect((await line.run(here('c'), () => steps('c'))).text).toBe('c')
})
