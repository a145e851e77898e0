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

test('an endpoint that fails is asked again, as often as told', async () => {
  let asked = 0
  const rpcUrl = await serve((_request, response) => {
    asked++
    response.writeHead(503).end()
  })
  await expect(createL1Rpc({ rpcUrl, retries: 1 }).getBlockNumber()).rejects.toThrow('503')
  expect(asked).toBe(2)
})

test('an answer beyond all measure is refused unread', async () => {
  const rpcUrl = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1 << 30 })
    response.write('{')
  })
  const client = createL1Rpc({ rpcUrl, retries: 0 })
  await expect(client.getBlockNumber()).rejects.toThrow('exceeded the size limit')
})
