import { afterEach, describe, expect, it } from 'vitest'
import { ExecutionError } from '../../execution-error.js'
import { ExecutionRpcError } from '../../execution-rpc-error.js'
import { toWire, WorkerLink } from './worker-link.js'

/** A worker that runs `onCall` for each request, whose answer goes out with `reply`. */
const script = (onCall: string) =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads'
      parentPort.on('message', ({ id, method, args }) => {
        const reply = part => parentPort.postMessage({ id, ...part })
        if (method === 'ready') return reply({ value: undefined })
        ${onCall}
      })`)}`,
  )
let link: WorkerLink
const start = (onCall: string) => {
  link = new WorkerLink({ script: script(onCall), name: 'test', data: null, youngGenerationMb: 8 })
  return link
}
afterEach(() => link.terminate())

describe('WorkerLink', () => {
  it('gives each call its own answer', async () => {
    start('if (args[0] === 1) setTimeout(() => reply({ value: "late" }), 20); else reply({ value: method + args[0] })')
    expect(await Promise.all([link.call('m', [1]), link.call('m', [2])])).toEqual(['late', 'm2'])
  })

  it('brings errors over with their code and data', async () => {
    const refused = toWire(new ExecutionError('UNKNOWN_PARENT', 'no parent', { hash: '0x1' }))
    const rpc = toWire(new ExecutionRpcError({ code: 3, message: 'execution reverted', data: '0x08' }))
    const other = toWire(new TypeError('oops'))
    start(`reply({ error: ${JSON.stringify([refused, rpc, other])}[args[0]] })`)
    await expect(link.call('m', [0])).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'UNKNOWN_PARENT',
      data: { hash: '0x1' },
    })
    await expect(link.call('m', [1])).rejects.toMatchObject({ rpc: { code: 3, data: '0x08' } })
    await expect(link.call('m', [2])).rejects.toMatchObject({ code: 'WORKER_FAILED', message: 'TypeError: oops' })
  })

  it('lets its thread load before it stops it', async () => {
    const hasLoaded = new Int32Array(new SharedArrayBuffer(4))
    const slow = `
      import { parentPort, workerData } from 'node:worker_threads'
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
      Atomics.store(workerData, 0, 1)
      parentPort.on('message', ({ id }) => parentPort.postMessage({ id, value: undefined }))`
    const url = new URL(`data:text/javascript,${encodeURIComponent(slow)}`)
    link = new WorkerLink({ script: url, name: 'test', data: hasLoaded, youngGenerationMb: 8 })
    await link.terminate()
    expect(Atomics.load(hasLoaded, 0)).toBe(1)
  })

  it('fails all calls, now and later, when its thread dies, and says so once', async () => {
    start('process.exit(3)')
    const calls = [link.call('m', []), link.call('m', [])]
    for (const call of calls)
      await expect(call).rejects.toMatchObject({ name: 'ExecutionError', code: 'WORKER_FAILED' })
    expect(await link.died).toMatchObject({ message: 'the test thread stopped: exit code 3' })
    await expect(link.call('m', [])).rejects.toMatchObject({ code: 'WORKER_FAILED' })
  })

  it('fails all calls when its thread throws', async () => {
    start('throw new RangeError("broken")')
    await expect(link.call('m', [])).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      message: expect.stringContaining('broken'),
    })
  })
})
