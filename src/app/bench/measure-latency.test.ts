import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { awaitReceipt } from './measure-latency.js'

/** What the node answers, one after the other; at the last, the patience ends. */
let answers: string[]
let patience: AbortController
const server = createServer((_, response) => {
  response.end(answers.shift())
  if (answers.length === 0) patience.abort()
})
beforeEach(async () => {
  patience = new AbortController()
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

describe('awaitReceipt', () => {
  const awaited = () =>
    awaitReceipt({
      node: {
        rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        heads: { next: async signal => signal.throwIfAborted() },
      },
      hash: '0x01',
      patience: patience.signal,
    })

  it('looks at each head until the receipt is there', async () => {
    answers = ['{"result":null}', '{"result":null}', '{"result":{}}']
    await awaited()
    expect(answers).toEqual([])
  })

  it('fails when the patience ends before', async () => {
    answers = ['{"result":null}', '{"result":null}']
    await expect(awaited()).rejects.toMatchObject({ name: 'AppError', code: 'BENCH_FAILED' })
  })

  it('fails as the node does', async () => {
    answers = ['{"error":{"message":"no"}}', '']
    await expect(awaited()).rejects.toMatchObject({ name: 'AppError', code: 'RPC_ERROR' })
  })
})
