import { beforeEach, expect, it } from 'vitest'
import { CallerShares } from './caller-shares.js'

let shares: CallerShares<string>
let begun: string[]
let ends: Map<string, () => void>
const never = new AbortController().signal

beforeEach(() => {
  shares = new CallerShares({ together: 2, waiting: 2 })
  begun = []
  ends = new Map()
})

const run = (caller: string, name: string, signal: AbortSignal = never) =>
  shares.run(
    caller,
    () => {
      begun.push(name)
      return new Promise<void>(resolve => ends.set(name, resolve))
    },
    signal,
  )

it('a caller has so much under way, and what is more waits for his own', async () => {
  const first = run('a', 'a1')
  for (const name of ['a2', 'a3', 'a4']) void run('a', name)
  void run('b', 'b1')
  expect(begun).toEqual(['a1', 'a2', 'b1'])
  await expect(run('a', 'a5')).rejects.toMatchObject({ rpc: { code: -32005 } })
  ends.get('a1')!()
  await first
  await expect.poll(() => begun).toEqual(['a1', 'a2', 'b1', 'a3'])
  ends.get('a3')!()
  await expect.poll(() => begun.at(-1)).toBe('a4')
})

it('who leaves gives his place in the line to others', async () => {
  for (const name of ['a1', 'a2', 'a3']) void run('a', name)
  const gone = new AbortController()
  const left = run('a', 'a4', gone.signal)
  gone.abort()
  await expect(left).rejects.toMatchObject({ rpc: { message: 'request was aborted' } })
  void run('a', 'a5')
  for (const name of ['a1', 'a2', 'a3']) {
    await expect.poll(() => ends.has(name)).toBe(true)
    ends.get(name)!()
  }
  await expect.poll(() => begun).toEqual(['a1', 'a2', 'a3', 'a5'])
})

it('what failed gives its place back', async () => {
  for (let i = 0; i < 5; i++)
    await expect(shares.run('a', () => Promise.reject(new Error('no')), never)).rejects.toThrow('no')
  void run('a', 'a1')
  void run('a', 'a2')
  expect(begun).toEqual(['a1', 'a2'])
})
