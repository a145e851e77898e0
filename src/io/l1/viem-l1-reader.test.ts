import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createViemL1Reader } from './viem-l1-reader.js'

const address = `0x${'11'.repeat(20)}` as const
const hash = `0x01${'22'.repeat(31)}` as const
let stop = () => {}
afterEach(() => stop())

/** A reader of an L1 that answers every request by the handler. */
async function readerOf(handler: (response: ServerResponse) => void, requestTimeoutMs = 300) {
  const server = createServer((_, response) => handler(response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return createViemL1Reader({
    config: {
      rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      contracts: { rollup: address, messageQueue: address, registry: address },
      requestTimeoutMs,
      retries: 0,
    },
    ports: { kzg: { commitment: async () => ({ commitment: new Uint8Array(48), versionedHash: hash }) } },
  })
}

test('an L1 that never answers is unreachable after the timeout', async () => {
  const reader = await readerOf(() => {}, 100)
  await expect(reader.head()).rejects.toMatchObject({ name: 'L1Error', code: 'L1_UNREACHABLE' })
  await expect(reader.blobs({ l1BlockNumber: 1, versionedHashes: [hash] })).rejects.toMatchObject({
    code: 'L1_UNREACHABLE',
  })
})

test('the errors of an endpoint do not hold its URL: it may hold a key', async () => {
  const contracts = { rollup: address, messageQueue: address, registry: address }
  const reader = createViemL1Reader({
    config: { rpcUrl: 'http://user:hunter2@127.0.0.1:1/v3/hunter2?key=hunter2', contracts, retries: 0 },
    ports: { kzg: { commitment: async () => ({ commitment: new Uint8Array(48), versionedHash: hash }) } },
  })
  const errors: unknown[] = [
    await reader.head().catch(error => error),
    await reader.events({ from: 0, to: 1 }).catch(error => error),
  ]
  for (let error = errors.pop(); error instanceof Error; error = error.cause ?? errors.pop()) {
    expect(error.message).not.toBe('')
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('hunter2')
  }
})

test('an L1 that fails is unreachable', async () => {
  const reader = await readerOf(response => response.writeHead(503).end('no'))
  await expect(reader.head()).rejects.toMatchObject({ code: 'L1_UNREACHABLE' })
  await expect(reader.blobs({ l1BlockNumber: 1, versionedHashes: [hash] })).rejects.toMatchObject({
    code: 'L1_UNREACHABLE',
  })
})

test.each(['', 'not json', '[]', '[{"jsonrpc":"2.0","id":0,"result":{}}]', '{"data":"0x00"}', '{"data":["0x00"]}'])(
  'garbage is a named error: %j',
  async body => {
    const reader = await readerOf(response => response.writeHead(200, { 'content-type': 'application/json' }).end(body))
    const named = { name: 'L1Error', code: expect.stringMatching(/^L1_/) }
    await expect(reader.head()).rejects.toMatchObject(named)
    await expect(reader.events({ from: 0, to: 1 })).rejects.toMatchObject(named)
    await expect(reader.sequencerSet(1)).rejects.toMatchObject(named)
    await expect(reader.committedBatch(hash)).rejects.toMatchObject(named)
    await expect(reader.blobs({ l1BlockNumber: 1, versionedHashes: [hash] })).rejects.toMatchObject(named)
  },
)

test('an endless answer is cut off', async () => {
  const reader = await readerOf(response => {
    const part = Buffer.alloc(1 << 20, 'x')
    const write = () => {
      if (!response.destroyed) response.write(part, write)
    }
    write()
  }, 10_000)
  await expect(reader.blobs({ l1BlockNumber: 1, versionedHashes: [hash] })).rejects.toMatchObject({
    code: 'L1_BAD_ANSWER',
  })
})
