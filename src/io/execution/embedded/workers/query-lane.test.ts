import { afterEach, expect, it } from 'vitest'
import { QueryLane } from './query-lane.js'

/** Answers each request with the text of its method; 'die' ends the thread. */
const script = `
  import { parentPort } from 'node:worker_threads'
  parentPort.on('message', ({ id, method, args }) => {
    if (args[1] === 'die') process.exit(3)
    parentPort.postMessage({ id, value: method === 'request' ? args[1] : method })
  })`

let lane: QueryLane
const open = (maxRunning: number) => {
  lane = new QueryLane({
    name: 'tests',
    directory: '',
    chainId: 7,
    niceness: 0,
    runsCalls: true,
    timeoutMs: 1_000,
    maxAnswerLength: 1_000,
    maxWaiting: 8,
    maxRunning,
    script: new URL(`data:text/javascript,${encodeURIComponent(script)}`),
  })
}
afterEach(() => lane.close())

it('callers are answered in turn, and who has most waiting gives way', async () => {
  open(1)
  const order: string[] = []
  const ask = (caller: string) =>
    lane.query('request', ['m', []], { caller }).then(
      () => order.push(caller),
      ({ rpc }) => order.push(`${caller}: ${rpc.message}`),
    )
  const greedy = Array.from({ length: 9 }, () => ask('a'))
  await Promise.all([...greedy, ask('b'), ask('c')])
  expect(order).toEqual([
    'a: too many concurrent tests',
    'a: too many concurrent tests',
    'a',
    'a',
    'b',
    'c',
    ...Array(5).fill('a'),
  ])
})

it.each([1, 2])('a thread that dies while it has %i requests is replaced for the next one', async maxRunning => {
  open(maxRunning)
  const ask = (method: string) => lane.query('request', [method, []])
  for (let i = 0; i < 3; i++) {
    await expect(ask('die')).rejects.toMatchObject({ code: 'WORKER_FAILED' })
    expect(await ask('m')).toBe('m')
  }
  const dying = ask('die')
  const behind = Array.from({ length: maxRunning - 1 }, () => ask('lost'))
  const waiting = ask('m')
  for (const lost of [dying, ...behind]) await expect(lost).rejects.toMatchObject({ code: 'WORKER_FAILED' })
  expect(await waiting).toBe('m')
})
