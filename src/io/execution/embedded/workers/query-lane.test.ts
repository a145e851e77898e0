import { BroadcastChannel } from 'node:worker_threads'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Asker } from '../../execution-client.js'
import { QueryLane } from './query-lane.js'

/**
 * Answers each request with the text of its method; 'die' ends the thread, 'hang' never ends, 'run' ends when it is withdrawn,
 * 'wait' when the gate opens.
 */
const script = (gate: string) => `
  import { parentPort, workerData } from 'node:worker_threads'
  const stop = new Int32Array(workerData.stop)
  const gate = new BroadcastChannel('${gate}')
  const held = []
  let opened = 0
  const pass = () => { while (opened > 0 && held.length > 0) { opened--; held.shift()() } }
  gate.onmessage = () => { opened++; pass() }
  parentPort.on('message', ({ id, method, args }) => {
    const answer = () => parentPort.postMessage({ id, value: method === 'request' ? args[1] : method })
    if (args[1] === 'die') process.exit(3)
    if (args[1] === 'hang') for (;;);
    while (args[1] === 'run' && stop[0] !== args[0]) Atomics.wait(stop, 0, stop[0], 1)
    if (args[1] !== 'wait') return answer()
    held.push(answer)
    pass()
  })`

const timeoutMs = 1_000
let gate: BroadcastChannel
let lane: QueryLane
beforeEach(({ task }) => {
  gate = new BroadcastChannel(task.id)
  lane = new QueryLane({
    name: 'tests',
    directory: '',
    chainId: 7,
    niceness: 0,
    runsCalls: true,
    timeoutMs,
    maxAnswerLength: 1_000,
    maxWaiting: 8,
    script: new URL(`data:text/javascript,${encodeURIComponent(script(task.id))}`),
  })
})
afterEach(async () => {
  vi.useRealTimers()
  gate.close()
  await lane.close()
})

const ask = (method: string, asker: Asker = {}) => lane.query('request', [method, []], asker)

it('callers are answered in turn, and who has most waiting gives way', async () => {
  const order: string[] = []
  const asked = (caller: string) =>
    ask('m', { caller }).then(
      () => order.push(caller),
      ({ rpc }) => order.push(`${caller}: ${rpc.message}`),
    )
  const greedy = Array.from({ length: 9 }, () => asked('a'))
  await Promise.all([...greedy, asked('b'), asked('c')])
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

it('a thread that dies is replaced for the next request', async () => {
  for (let i = 0; i < 3; i++) {
    await expect(ask('die')).rejects.toMatchObject({ code: 'WORKER_FAILED' })
    expect(await ask('m')).toBe('m')
  }
  const dying = ask('die')
  const waiting = ask('m')
  await expect(dying).rejects.toMatchObject({ code: 'WORKER_FAILED' })
  expect(await waiting).toBe('m')
})

it('only a request that itself runs too long is refused, and its thread replaced', async () => {
  await ask('m')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const answers = ['a', 'b', 'c'].map(caller => ask('wait', { caller }))
  for (const answer of answers) {
    await vi.advanceTimersByTimeAsync(1.5 * timeoutMs)
    gate.postMessage('open')
    expect(await answer).toBe('wait')
  }
  const hanging = ask('hang')
  const waiting = ask('m')
  const refused = expect(hanging).rejects.toMatchObject({ rpc: { message: 'execution aborted (timeout = 1s)' } })
  await vi.advanceTimersByTimeAsync(2 * timeoutMs)
  await refused
  expect(await waiting).toBe('m')
})

it('all requests of a caller who went away stop', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const caller = new AbortController()
  const gone = [1, 2, 3].map(() => ask('run', { caller: 'a', signal: caller.signal }))
  const next = ask('m', { caller: 'b' })
  caller.abort()
  for (const request of gone) await expect(request).rejects.toMatchObject({ rpc: { message: 'request was aborted' } })
  expect(await next).toBe('m')
})

it('a closed lane refuses what runs, what waits and what comes', async () => {
  const requests = [ask('hang'), ask('m')]
  const refused = requests.map(request => expect(request).rejects.toMatchObject({ code: 'CLOSED' }))
  await lane.close()
  await Promise.all(refused)
  await expect(ask('m')).rejects.toMatchObject({ code: 'CLOSED' })
})
