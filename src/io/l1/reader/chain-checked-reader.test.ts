import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { L1Reader } from '../l1-client.js'
import { createChainCheckedL1Reader, WrongL1ChainError } from './chain-checked-reader.js'

/** What the endpoint answers to eth_chainId; null: it fails. */
let chainId: number | null
let asked: number
let read: number
const server = createServer(async (request, response) => {
  let body = ''
  for await (const part of request) body += part
  asked++
  if (chainId === null) return void response.writeHead(503).end()
  const calls = [JSON.parse(body)].flat() as { id: number; method: string }[]
  const result = `0x${chainId.toString(16)}`
  response.end(JSON.stringify(calls.map(({ id }) => ({ jsonrpc: '2.0', id, result }))))
})

beforeEach(async () => {
  asked = 0
  read = 0
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const checked = () =>
  createChainCheckedL1Reader({
    chainId: 31_337,
    endpoint: { rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, retries: 0 },
    reader: { lastCommittedBatch: async () => ++read } as Partial<L1Reader> as L1Reader,
  })

it('asks once which chain it is, and then reads', async () => {
  chainId = 31_337
  const reader = checked()
  await Promise.all([reader.lastCommittedBatch(), reader.lastCommittedBatch()])
  await reader.lastCommittedBatch()
  expect([asked, read]).toEqual([1, 3])
})

it('reads nothing of another chain, and asks again', async () => {
  chainId = 1
  const reader = checked()
  const error = await reader.lastCommittedBatch().catch(error => error)
  expect(error).toBeInstanceOf(WrongL1ChainError)
  expect(error).toMatchObject({ code: 'L1_BAD_ANSWER', message: expect.stringMatching(/chain 1,.* chain 31337/) })
  expect(read).toBe(0)
  chainId = 31_337
  await reader.lastCommittedBatch()
  expect(read).toBe(1)
})

it('reads nothing while the chain is not known', async () => {
  chainId = null
  const reader = checked()
  await expect(reader.lastCommittedBatch()).rejects.toMatchObject({ code: 'L1_UNREACHABLE' })
  expect(read).toBe(0)
})
