import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { encodeEventTopics } from 'viem'
import { afterEach, expect, test } from 'vitest'
import { rollupAbi } from '../contract-abis.js'
import type { L1Event } from '../l1-client.js'
import { createViemL1Reader } from './viem-l1-reader.js'

const address = `0x${'11'.repeat(20)}` as const
const hash = `0x01${'22'.repeat(31)}` as const
let stop = () => {}
afterEach(() => stop())

/** The URL of a server that answers so. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function readerAt(rpcUrl: string, requestTimeoutMs = 10_000) {
  return createViemL1Reader({
    config: {
      rpcUrl,
      contracts: { rollup: address, messageQueue: address, registry: address },
      requestTimeoutMs,
      retries: 0,
    },
    ports: { kzg: { commitment: async () => ({ commitment: new Uint8Array(48), versionedHash: hash }) } },
  })
}

/** A reader of an L1 that answers every request by the handler. */
async function readerOf(handler: (response: ServerResponse) => void, requestTimeoutMs = 300) {
  return readerAt(await serve((_, response) => handler(response)), requestTimeoutMs)
}

test('an L1 that never answers is unreachable after the timeout', async () => {
  const reader = await readerOf(() => {}, 100)
  await expect(reader.head()).rejects.toMatchObject({ name: 'L1Error', code: 'L1_UNREACHABLE' })
  await expect(reader.blobs({ l1BlockNumber: 1, versionedHashes: [hash] })).rejects.toMatchObject({
    code: 'L1_UNREACHABLE',
  })
})

test('the errors of an endpoint do not hold its URL: it may hold a key', async () => {
  const reader = readerAt('http://user:hunter2@127.0.0.1:1/v3/hunter2?key=hunter2')
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

const blockHash = (number: number) => `0x${number.toString(16).padStart(64, '0')}`
const header = (number: number) => ({
  number: `0x${number.toString(16)}`,
  hash: blockHash(number),
  parentHash: blockHash(number - 1),
  timestamp: '0x64',
})

interface RpcCall {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

/** A reader of an L1 that answers calls so: with a result, or with the error that is thrown. `onRequest` hears what one request asks. */
async function readerOfCalls(answer: (call: RpcCall) => unknown, onRequest = (_calls: readonly RpcCall[]) => {}) {
  const url = await serve(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const calls: RpcCall[] = [JSON.parse(Buffer.concat(parts).toString())].flat()
    onRequest(calls)
    const answers = calls.map(call => {
      try {
        return { jsonrpc: '2.0', id: call.id, result: answer(call) }
      } catch (error) {
        return { jsonrpc: '2.0', id: call.id, error: { code: -32_000, message: (error as Error).message } }
      }
    })
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers))
  })
  return readerAt(url)
}

const rollupEvents = rollupAbi.filter(item => item.type === 'event')

/** The log of a batch that was made final in a block. */
function finalizedLog(number: number) {
  const topics = encodeEventTopics({
    abi: rollupEvents,
    eventName: 'BatchFinalized',
    args: { batchIndex: BigInt(number), batchHash: hash },
  })
  return {
    address,
    topics,
    data: '0x',
    blockNumber: `0x${number.toString(16)}`,
    blockHash: blockHash(number),
    transactionHash: blockHash(number),
    transactionIndex: '0x0',
    logIndex: '0x0',
    removed: false,
  }
}

const blockOf = (event: L1Event) => (event.type === 'message' ? event.message : event).l1BlockNumber

test.each([
  ['another block', { ...header(9) }],
  ['a short hash', { ...header(7), hash: '0x1234' }],
  ['a parent that is no hash', { ...header(7), parentHash: 7 }],
  ['a number beyond all blocks', { ...header(7), number: '0xffffffffffffffff' }],
  ['a negative time', { ...header(7), timestamp: '-0x1' }],
  ['no time', { ...header(7), timestamp: undefined }],
  ['a list', [header(7)]],
])('a block that is none is refused: %s', async (_what, block) => {
  const reader = await readerOfCalls(() => block)
  await expect(reader.block(7)).rejects.toMatchObject({ name: 'L1Error', code: 'L1_BAD_ANSWER' })
})

test('a block that L1 does not have is none', async () => {
  expect(await (await readerOfCalls(() => null)).block(7)).toBeNull()
})

test('millions of things that are no transactions cost nothing but their parsing', async () => {
  const junk = Array.from({ length: 300_000 }, () => ({}))
  const reader = await readerOfCalls(() => ({ ...header(7), transactions: junk }))
  expect(await reader.head()).toEqual({ number: 7, hash: blockHash(7), parentHash: blockHash(6), timestamp: 100 })
  const logs = await readerOfCalls(({ method }) => (method === 'eth_getLogs' ? junk : header(7)))
  await expect(logs.events({ from: 7, to: 7 })).rejects.toMatchObject({
    code: 'L1_BAD_ANSWER',
    message: 'the answer of L1 is too long',
  })
})

test('events of the newest blocks are asked for by hash: a node without the block fails instead of saying that there are none', async () => {
  const asked: unknown[] = []
  const reader = await readerOfCalls(({ method, params: [filter] }) => {
    if (method === 'eth_getBlockByNumber') return header(Number(filter))
    asked.push(filter)
    const { blockHash: of } = filter as { blockHash?: string }
    if (of === blockHash(10)) throw new Error('unknown block')
    return of ? [finalizedLog(Number(of))] : [finalizedLog(3), finalizedLog(1)]
  })
  const events = await reader.events({ from: 1, to: 9 })
  expect(events.map(blockOf)).toEqual([1, 3, 6, 7, 8, 9])
  expect(asked[0]).toMatchObject({ fromBlock: '0x1', toBlock: '0x5' })
  await expect(reader.events({ from: 10, to: 10 })).rejects.toMatchObject({ code: 'L1_BAD_ANSWER' })
})

test('the newest blocks of a range cost one request for their hashes and one each for their events', async () => {
  const asked: number[] = []
  const reader = await readerOfCalls(
    ({ method, params: [filter] }) => (method === 'eth_getBlockByNumber' ? header(Number(filter)) : []),
    calls => asked.push(calls.length),
  )
  expect(await reader.events({ from: 5, to: 8 })).toEqual([])
  expect(asked).toEqual([4, 1, 1, 1, 1])
})

test('a range whose answer is too long for the endpoint is read in parts', async () => {
  const reader = await readerOfCalls(({ method, params: [filter] }) => {
    if (method === 'eth_getBlockByNumber') return header(Number(filter))
    const { fromBlock, toBlock } = filter as { fromBlock?: string; toBlock?: string }
    if (!fromBlock) return []
    if (Number(toBlock) - Number(fromBlock) >= 10) throw new Error('query returned more than 10000 results')
    return [finalizedLog(Number(toBlock))]
  })
  const events = await reader.events({ from: 1, to: 40 })
  expect(events.map(blockOf)).toEqual([9, 18, 27, 36])
})

test('a key in its URL that an endpoint repeats is in no error of a reader', async () => {
  const url = await serve((request, response) => response.writeHead(404).end(`Cannot POST ${request.url}`))
  const reader = readerAt(`${url}/v3/hunter2`)
  const error = await reader.head().catch(error => error)
  expect(error.message).toContain('Cannot POST')
  expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('hunter2')
})
