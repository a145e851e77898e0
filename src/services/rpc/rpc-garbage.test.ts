import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { zeroHash } from '../../base/primitives/hashes.js'
import { token } from './fake-node.fixture.js'
import { message, RunningServer } from './running-server.fixture.js'

let server: RunningServer
beforeAll(async () => {
  server = await RunningServer.start()
})
afterAll(() => server[Symbol.asyncDispose]())

const json = fc.json({ maxDepth: 6 })
const nearlyValid = fc
  .record(
    {
      jsonrpc: fc.oneof(fc.constant('2.0'), fc.anything()),
      id: fc.oneof(fc.integer(), fc.anything()),
      method: fc.oneof(
        fc.constantFrom(
          'eth_call',
          'eth_getLogs',
          'eth_getBlockByNumber',
          'eth_feeHistory',
          'eth_sendRawTransaction',
          'eth_newFilter',
          'eth_getProof',
          'morphism_getBatch',
          'txpool_contentFrom',
          'eth_getTransactionCount',
        ),
        fc.string(),
      ),
      params: fc.oneof(
        fc.array(
          fc.oneof(
            fc.constantFrom('latest', '0x1', token, zeroHash),
            fc.jsonValue(),
            fc.stringMatching(/^0x[0-9a-f]{0,70}$/),
          ),
        ),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  )
  .map(value => JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? String(item) : item)) ?? '')
const body = fc.oneof(
  json,
  nearlyValid,
  fc.array(nearlyValid, { maxLength: 4 }).map(items => `[${items.join(',')}]`),
  fc.string(),
  fc.uint8Array(),
)

it('any body over HTTP gets a JSON-RPC answer', async () => {
  await fc.assert(
    fc.asyncProperty(body, async value => {
      const { status, text } = await server.post(value)
      expect(status).toBe(200)
      if (text === '') return
      for (const answer of [JSON.parse(text)].flat()) {
        expect(answer.jsonrpc).toBe('2.0')
        expect(answer.error?.code).not.toBe(-32603)
      }
    }),
    { numRuns: 400 },
  )
})

it('any message over WebSocket gets a JSON-RPC answer or none', async () => {
  const { socket, received, send } = await server.openSocket()
  await fc.assert(
    fc.asyncProperty(body, async value => {
      received.length = 0
      socket.send(value)
      send(message('eth_chainId', [], 'probe'))
      await expect.poll(() => received.find(answer => answer.id === 'probe')?.result, { interval: 1 }).toBe('0x5')
    }),
    { numRuns: 200 },
  )
  socket.terminate()
})

it('any bytes on the port leave the server at work', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 500 }),
        fc.string().map(text => Buffer.from(`POST / HTTP/1.1\r\n${text}\r\n\r\n`)),
      ),
      async bytes => {
        const socket = connect(server.address.port, '127.0.0.1')
        await new Promise<void>(resolve => {
          socket.on('error', () => {})
          socket.on('close', () => resolve())
          socket.on('data', () => {})
          socket.end(bytes)
        })
      },
    ),
    { numRuns: 60 },
  )
  expect((await server.ask('eth_chainId')).result).toBe('0x5')
})
