import { expect, it } from 'vitest'
import { WorkerCalls } from './worker-calls.js'

const script = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(code)}`)
/** Answers with what it was given; dies when asked to. */
const echo = script(`
  import { parentPort } from 'node:worker_threads'
  parentPort.on('message', ({ id, method, args }) => {
    if (method === 'die') process.exit(3)
    if (method === 'echo') parentPort.postMessage({ id, value: args[0] })
    if (method === 'refuse') parentPort.postMessage({ id, error: { code: 'SOME_CODE', message: 'no', data: { at: 1 } } })
  })
`)

it('answers each call, also when many are under way', async () => {
  const calls = new WorkerCalls(echo, 'echo')
  const answers = await Promise.all([1, 2, 3].map(n => calls.call<number>('echo', n)))
  expect(answers).toEqual([1, 2, 3])
  await calls.close()
})

it('sends of a view only its own bytes, and leaves them here', async () => {
  const calls = new WorkerCalls(echo, 'echo')
  const view = new Uint8Array(1_000).fill(7).subarray(10, 13)
  const answer = await calls.call<Uint8Array>('echo', view)
  expect(answer.buffer.byteLength).toBe(3)
  expect([...view]).toEqual([7, 7, 7])
  await calls.close()
})

it('rejects with the error of the method', async () => {
  const calls = new WorkerCalls(echo, 'echo')
  await expect(calls.call('refuse')).rejects.toMatchObject({ code: 'SOME_CODE', message: 'no', data: { at: 1 } })
  await calls.close()
})

it('rejects what is under way when the thread dies, and starts another for the next call', async () => {
  const calls = new WorkerCalls(echo, 'echo')
  const [pending, fatal] = [calls.call('never answered'), calls.call('die')]
  await expect(pending).rejects.toMatchObject({ code: 'WORKER_DIED' })
  await expect(fatal).rejects.toMatchObject({ code: 'WORKER_DIED' })
  expect(await calls.call('echo', 5)).toBe(5)
  await calls.close()
})

it('rejects when the script does not load', async () => {
  const calls = new WorkerCalls(script('throw new RangeError("broken")'), 'broken')
  await expect(calls.call('echo', 1)).rejects.toMatchObject({ code: 'WORKER_DIED' })
  await calls.close()
})

it('rejects what is under way when it is closed, and every call after', async () => {
  const calls = new WorkerCalls(echo, 'echo')
  const pending = calls.call('never answered')
  const closed = calls.close()
  await expect(pending).rejects.toMatchObject({ code: expect.stringMatching(/^WORKER_/) })
  await closed
  await expect(calls.call('echo', 1)).rejects.toMatchObject({ code: 'WORKER_CLOSED' })
})
