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

test('how long to wait before it is asked again is not for the endpoint to say', async () => {
  let asked = 0
  const rpcUrl = await serve((_request, response) => {
    if (asked++ === 0) response.writeHead(429, { 'retry-after': '3600' }).end()
    else
      response.writeHead(200, { 'content-type': 'application/json' }).end('[{"jsonrpc":"2.0","id":0,"result":"0x7"}]')
  })
  expect(await createL1Rpc({ rpcUrl, retries: 1 }).getBlockNumber()).toBe(7n)
})

test.each([
  ['a block', 'eth_getBlockByNumber', 1 << 20],
  ['logs', 'eth_getLogs', 16 << 20],
] as const)('an answer is cut off where %s cannot be so long', async (_what, method, most) => {
  let sent = 0
  const rpcUrl = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const part = Buffer.alloc(1 << 18, ' ')
    const write = () => {
      if (response.destroyed || sent > 64 << 20) return
      sent += part.length
      response.write(part, write)
    }
    write()
  })
  const client = createL1Rpc({ rpcUrl, retries: 0 })
  const request =
    method === 'eth_getLogs'
      ? { method, params: [{}] as [object] }
      : { method, params: ['0x1', false] as ['0x1', boolean] }
  await expect(client.request(request as never)).rejects.toThrow('the answer of L1 is too long')
  expect(sent).toBeGreaterThanOrEqual(most)
  expect(sent).toBeLessThan(most + (16 << 20))
})
