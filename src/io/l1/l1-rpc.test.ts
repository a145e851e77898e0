import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createL1Rpc } from './l1-rpc.js'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** The URL of a server that answers so. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An endpoint whose head is `number`; it fails when `down` says so. */
function endpoint(number: number, down: () => boolean = () => false): Promise<string> {
  return serve(async (request, response) => {
    if (down()) return void response.writeHead(503).end()
    let body = ''
    for await (const part of request) body += part
    const calls = [JSON.parse(body)].flat()
    const answers = calls.map(({ id }) => ({ jsonrpc: '2.0', id, result: `0x${number.toString(16)}` }))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(Array.isArray(JSON.parse(body)) ? answers : answers[0]))
  })
}

test('the next endpoint is asked when the first one fails, and the first again when it is back', async () => {
  let down = true
  const [first, second] = [await endpoint(1, () => down), await endpoint(2)]
  const client = createL1Rpc({ rpcUrl: first, fallbackRpcUrls: [second], retries: 0 })
  expect(await client.getBlockNumber()).toBe(2n)
  down = false
  expect(await client.getBlockNumber()).toBe(1n)
})

test('when all fail the request fails', async () => {
  const [first, second] = [await endpoint(1, () => true), await endpoint(2, () => true)]
  const client = createL1Rpc({ rpcUrl: first, fallbackRpcUrls: [second], retries: 0 })
  await expect(client.getBlockNumber()).rejects.toThrow('503')
})

test('an answer beyond all measure is refused unread', async () => {
  const rpcUrl = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1 << 30 })
    response.write('{')
  })
  const client = createL1Rpc({ rpcUrl, retries: 0 })
  await expect(client.getBlockNumber()).rejects.toThrow('exceeded the size limit')
})
