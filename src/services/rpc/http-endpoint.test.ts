import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { JsonText } from '../../base/encoding/json.js'
import { bytesToHex, hexToBytes } from '../../base/primitives/bytes.js'
import { decodeTransaction } from '../../base/protocol/transaction.js'
import { EventLoopTurns } from './event-loop-turns.fixture.js'
import { account, chainId, token } from './fake-node.fixture.js'
import { FilterRegistry } from './filter-registry.js'
import type { RpcConfig } from './rpc-config.js'
import { createRpcServer } from './rpc-server.js'
import { type Json, message, RunningServer } from './running-server.fixture.js'

let server: RunningServer
const start = async (config?: Partial<RpcConfig>): Promise<void> => {
  await server?.[Symbol.asyncDispose]()
  server = await RunningServer.start(config)
}

beforeEach(() => start())
afterEach(() => server[Symbol.asyncDispose]())

describe('JSON-RPC 2.0 over HTTP', () => {
  it('answers a call with its id, whatever valid id it has', async () => {
    for (const id of [1, 'a"b', null, 0, -7, 1.5])
      expect(JSON.parse((await server.post(JSON.stringify(message('eth_chainId', [], id)))).text)).toEqual({
        jsonrpc: '2.0',
        id,
        result: '0x5',
      })
  })

  it('answers malformed messages with the code that the specification gives', async () => {
    const cases: [string, number, unknown][] = [
      ['{', -32700, null],
      ['', -32700, null],
      ['\u0000\u0001', -32700, null],
      ['['.repeat(40_000), -32700, null],
      ['1', -32600, null],
      ['"x"', -32600, null],
      ['null', -32600, null],
      ['[]', -32600, null],
      ['{}', -32600, null],
      ['{"jsonrpc":"1.0","id":4,"method":"eth_chainId"}', -32600, 4],
      ['{"jsonrpc":"2.0","id":4,"method":7}', -32600, 4],
      ['{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', -32600, null],
      ['{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"eth_chainId"}', -32600, null],
      ['{"jsonrpc":"2.0","id":1e999,"method":"eth_chainId"}', -32600, null],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_nope"}', -32601, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"__proto__"}', -32601, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"constructor","__proto__":{"a":1}}', -32601, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_subscribe","params":["newHeads"]}', -32601, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_chainId","params":{"a":1}}', -32602, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_chainId","params":"x"}', -32602, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_chainId","params":[1]}', -32602, 4],
      [`{"jsonrpc":"2.0","id":4,"method":"eth_call","params":[${'['.repeat(40_000)}${']'.repeat(40_000)}]}`, -32602, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_call","params":[{"__proto__":{"to":1}},"latest"]}', 0, 4],
    ]
    for (const [body, code, id] of cases) {
      const { status, text } = await server.post(body)
      const answer = JSON.parse(text)
      expect(status).toBe(200)
      expect([answer.error?.code ?? 0, answer.id], body.slice(0, 80)).toEqual([code, id])
    }
  })

  it('a notification has no answer, alone or in a batch', async () => {
    const notification = { jsonrpc: '2.0', method: 'eth_chainId' }
    expect((await server.post(JSON.stringify(notification))).text).toBe('')
    expect((await server.post(JSON.stringify([notification, notification]))).text).toBe('')
    expect(JSON.parse((await server.post(JSON.stringify([notification, message('net_version')]))).text)).toHaveLength(1)
  })

  it('answers a batch in its order, each call for itself', async () => {
    const batch = [
      message('eth_chainId', [], 3),
      5,
      message('eth_nope', [], 'x'),
      ...Array.from({ length: 120 }, (_, i) =>
        message('eth_getTransactionCount', [token, i % 2 ? 'latest' : 'pending'], i),
      ),
    ]
    const answers = JSON.parse((await server.post(JSON.stringify(batch))).text) as Json[]
    expect(answers.map(answer => answer.id)).toEqual([3, null, 'x', ...Array.from({ length: 120 }, (_, i) => i)])
    expect(answers[1]!.error).toEqual({ code: -32600, message: 'invalid request' })
    expect(answers.at(-1)!.result).toBe('0x0')
    expect(answers.at(-2)!.result).toBe('0x7')
  })

  it('bounds a batch by number and by the size of its answers', async () => {
    await start({ maxBatch: 10, maxBatchResponseBytes: 500 })
    expect(JSON.parse((await server.post(JSON.stringify(Array(11).fill(message('eth_chainId', [], 8))))).text)).toEqual(
      [{ jsonrpc: '2.0', id: 8, error: { code: -32600, message: 'batch too large' } }],
    )
    const block = message('eth_getBlockByNumber', ['0x0', false])
    const answers = JSON.parse(
      (await server.post(JSON.stringify([message('eth_chainId'), block, block]))).text,
    ) as Json[]
    expect(answers.map(answer => (answer.error as Json)?.code)).toEqual([undefined, -32003, -32003])
  })

  it('refuses a message of more values than it may hold, whatever they are', async () => {
    const most = Array(25_000).fill([0])
    expect((await server.ask('eth_none', most)).error).toMatchObject({
      code: -32600,
      message: 'message or batch has too many values, or too much besides plain strings',
    })
    expect((await server.ask('eth_none', [most.slice(0, 24_000)])).error).toMatchObject({ code: -32601 })
    expect((await server.ask('eth_none', ['[{,"'.repeat(100_000)])).error).toMatchObject({ code: -32601 })
  })

  it('reads nothing of such a message', async () => {
    const { text } = await server.post(`[${'[],'.repeat(500_000)}`)
    expect(JSON.parse(text)).toMatchObject({
      error: { code: -32600, message: 'message or batch has too many values, or too much besides plain strings' },
    })
  })

  it('lets other work come between calls of a batch that take long', async () => {
    const turns = new EventLoopTurns()
    await fillPool({ transactions: 30, bytes: 100_000 })
    const seen: number[] = []
    for (const [hash, pooled] of server.node.pool) {
      const look = () => {
        seen.push(turns.count)
        return pooled.raw
      }
      server.node.pool.set(hash, Object.defineProperty({ ...pooled }, 'raw', { get: look }))
    }
    const batch = [
      ...['txpool_content', 'txpool_contentFrom', 'txpool_inspect'].map(method =>
        message(method, method.endsWith('From') ? [token] : []),
      ),
      message('eth_chainId'),
    ]
    const answers = JSON.parse((await server.post(JSON.stringify(batch))).text) as Json[]
    turns.end()
    expect(answers.map(answer => answer.error)).toEqual(Array(4).fill(undefined))
    expect(new Set(seen).size).toBeGreaterThan(3 * 20)
  })

  it('lets other work come between large polls of filters, of one batch or of many callers', async () => {
    const turns = new EventLoopTurns()
    const seen: number[] = []
    vi.spyOn(FilterRegistry.prototype, 'changes').mockImplementation(() => {
      seen.push(turns.count)
      return new JsonText(`["${'x'.repeat(100_000)}"]`)
    })
    const poll = message('eth_getFilterChanges', ['0x1'])
    expect(JSON.parse((await server.post(JSON.stringify(Array(4).fill(poll)))).text)).toHaveLength(4)
    const { socket, received, send } = await server.openSocket()
    for (let i = 0; i < 4; i++) send(poll)
    await expect.poll(() => received.length).toBe(4)
    turns.end()
    vi.restoreAllMocks()
    expect(new Set(seen).size).toBe(8)
    socket.terminate()
  })

  it('shows no pool that is too large for one answer', async () => {
    vi.spyOn(server.node.pool, 'size', 'get').mockReturnValue(4_097)
    for (const method of ['txpool_content', 'txpool_inspect'])
      expect((await server.ask(method)).error).toMatchObject({ code: -32005, message: expect.stringContaining('4097') })
  })

  it('shows no more bytes of a pool than an answer may have, and each transaction by its hash', async () => {
    await fillPool({ transactions: 64, bytes: 120_000 })
    const [hash] = server.node.pool.keys()
    for (const [method, params] of [
      ['txpool_content', []],
      ['txpool_inspect', []],
      ['txpool_contentFrom', [token]],
    ] as const)
      expect((await server.ask(method, ...params)).error).toMatchObject({
        code: -32005,
        message: expect.stringContaining('4194304 are shown at most'),
      })
    expect((await server.ask('eth_getTransactionByHash', hash)).result).toMatchObject({ hash })
    expect((await server.ask('eth_getRawTransactionByHash', hash)).result).toMatch(/^0x02f[0-9a-f]{240000}/)
  })

  it('counts the work of notifications to what a batch may have', async () => {
    await start({ maxBatchResponseBytes: 1_000_000 })
    await fillPool({ transactions: 2, bytes: 100_000 })
    const shown = vi.spyOn(server.node.pool, 'values')
    const notification = { jsonrpc: '2.0', method: 'txpool_contentFrom', params: [token] }
    const { text } = await server.post(JSON.stringify([...Array(200).fill(notification), message('eth_chainId')]))
    expect(shown.mock.calls.length).toBeLessThan(5)
    expect(JSON.parse(text)).toMatchObject([{ error: { code: -32003 } }])
  })

  it('refuses what is no JSON post, with the status of geth', async () => {
    const { url } = server.address
    const status = async (init: RequestInit, path = '/') => (await fetch(url + path, init)).status
    expect(await status({ method: 'GET' })).toBe(405)
    expect(await status({ method: 'PUT', body: '{}' })).toBe(405)
    expect(await status({ method: 'POST', body: '{}' }, '/other')).toBe(404)
    expect((await server.post('{}', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
    expect((await server.post('{}', { 'content-type': 'text/plain' })).status).toBe(415)
    const body = JSON.stringify(message('eth_chainId'))
    expect((await server.post(body, { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(200)
    expect((await server.post(body, { 'content-type': 'application/json-rpc' })).status).toBe(200)
  })

  it('lets browsers of the allowed origins in, and only those', async () => {
    await start({ corsOrigins: ['https://app.example'] })
    const headers = { 'content-type': 'application/json' }
    const allowed = await server.post('{}', { ...headers, origin: 'https://app.example' })
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
    const other = await server.post('{}', { ...headers, origin: 'https://evil.example' })
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, undefined])
    expect((await server.post('{}', { ...headers, origin: 'null' })).status).toBe(403)
    const wallet = await server.post('{}', { ...headers, origin: 'chrome-extension://abcdef' })
    expect([wallet.status, wallet.headers.get('access-control-allow-origin')]).toEqual([
      200,
      'chrome-extension://abcdef',
    ])
    const preflightOf = (origin: string) => fetch(server.address.url, { method: 'OPTIONS', headers: { origin } })
    expect((await preflightOf('https://evil.example')).status).toBe(403)
    const preflight = await preflightOf('https://app.example')
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'content-type'])
  })

  it('answers to its addresses and its names, and to no other name', async () => {
    await start({ virtualHosts: ['node.example'] })
    const { port } = server.address
    const body = JSON.stringify(message('web3_clientVersion'))
    const statusFor = (host: string) =>
      new Promise<number>((resolve, reject) => {
        const headers = { host, 'content-type': 'application/json' }
        const request = http.request({ port, host: '127.0.0.1', method: 'POST', headers }, response => {
          resolve(response.statusCode!)
          response.resume()
        })
        request.on('error', reject).end(body)
      })
    for (const [host, status] of [
      [`127.0.0.1:${port}`, 200],
      [`[::1]:${port}`, 200],
      ['node.example', 200],
      ['evil.example', 403],
    ] as const)
      expect(await statusFor(host), host).toBe(status)
  })

  it('a body over the limit is answered 413 before it is all sent', async () => {
    for (const declared of [true, false]) {
      const { status, sent } = await upload({ megabytes: 60, declared })
      expect(status).toBe(413)
      expect(sent).toBeLessThan(30)
    }
    expect((await server.ask('eth_chainId')).result).toBe('0x5')
  })

  it('limits the rate of a caller, each call of a batch counted', async () => {
    await start({ requestsPerSecond: 2 })
    const batch = (size: number) => server.post(JSON.stringify(Array(size).fill(message('eth_chainId', [], 'x'))))
    expect((await batch(4)).status).toBe(200)
    const { status, text } = await batch(5)
    expect(status).toBe(429)
    expect(JSON.parse(text)).toEqual({
      jsonrpc: '2.0',
      id: 'x',
      error: { code: -32005, message: 'rate limit exceeded' },
    })
  })

  it('limits calls under way, and ends those whose caller left', async () => {
    await start({ maxConcurrentRequests: 2 })
    let open = () => {}
    server.node.callGate = new Promise(resolve => {
      open = resolve
    })
    const leave = new AbortController()
    const body = JSON.stringify(message('eth_call', [{}]))
    const headers = { 'content-type': 'application/json' }
    const left = fetch(server.address.url, { method: 'POST', headers, body, signal: leave.signal }).catch(() => 'left')
    const slow = server.ask('eth_call', {})
    await expect.poll(async () => (await server.ask('eth_chainId')).error?.code).toBe(-32005)
    leave.abort()
    expect(await left).toBe('left')
    await expect.poll(() => server.node.abortedCalls).toBe(1)
    open()
    expect((await slow).result).toBe('0x')
    expect((await server.ask('eth_chainId')).result).toBe('0x5')
  })

  it('ends a query that takes too long', async () => {
    await start({ executionTimeoutMs: 20 })
    server.node.callGate = new Promise(() => {})
    expect((await server.ask('eth_call', {})).error).toEqual({ code: -32002, message: 'request timed out' })
    expect(server.node.abortedCalls).toBe(1)
  })

  it('disposes at once, with connections open and a call under way', async () => {
    server.node.callGate = new Promise(() => {})
    const hanging = server.ask('eth_call', {}).catch(() => 'cut')
    const socket = new WebSocket(server.address.wsUrl)
    await new Promise(resolve => socket.once('open', resolve))
    const closed = new Promise(resolve => socket.once('close', resolve))
    const startMs = performance.now()
    await server[Symbol.asyncDispose]()
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(await hanging).toBe('cut')
    await closed
    await start()
  })

  it('tells who sends no HTTP so, but never in the middle of an answer', async () => {
    const { port, host } = server.address
    const exchange = async (...parts: string[]) => {
      const socket = net.connect(port, host)
      let received = ''
      socket.setEncoding('latin1').on('error', () => {})
      const closed = new Promise(resolve => socket.once('close', resolve))
      for (const part of parts) {
        socket.write(part)
        await once(socket, 'readable')
      }
      socket.on('data', text => {
        received += text
      })
      await closed
      return received
    }
    const garbage = 'no such thing\r\n\r\n'
    expect(await exchange(garbage)).toMatch(/^HTTP\/1\.1 400 /)
    server.node.callResult = new Uint8Array(8 << 20)
    const body = JSON.stringify(message('eth_call', [{}]))
    const head = `POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    const received = await exchange(`${head}${body}`, garbage)
    expect(received).toMatch(/^HTTP\/1\.1 200 /)
    expect(received).not.toContain('400 Bad Request')
  })

  it('a busy port is a named error', async () => {
    const { port } = server.address
    const second = createRpcServer({ config: { chainId, clientVersion: '', port }, ports: server.node.ports() })
    await expect(second).rejects.toMatchObject({ name: 'RpcServerError', code: 'PORT_IN_USE' })
  })
})

describe('a server that hands over', () => {
  const opened = async () => {
    const socket = new WebSocket(server.address.wsUrl)
    await new Promise(resolve => socket.once('open', resolve))
    return socket
  }
  const codeOf = (socket: WebSocket) => new Promise<number>(resolve => socket.once('close', resolve))

  it('finishes what is under way, tells WebSockets to come back, and leaves its port free', async () => {
    let open = () => {}
    server.node.callGate = new Promise(resolve => {
      open = resolve
    })
    const agent = new http.Agent({ keepAlive: true })
    const slow = new Promise<{ connection: string | undefined; text: string }>((resolve, reject) => {
      const headers = { 'content-type': 'application/json' }
      const request = http.request(server.address.url, { method: 'POST', headers, agent }, response => {
        response.setEncoding('utf8').once('data', text => resolve({ connection: response.headers.connection, text }))
      })
      request.on('error', reject).end(JSON.stringify(message('eth_call', [{}])))
    })
    const socket = await opened()
    const closed = codeOf(socket)
    await expect.poll(() => server.node.callsUnderWay).toBe(1)
    const { port } = server.address
    const handedOver = server.handOver()
    const next = await RunningServer.start({ port })
    expect(await closed).toBe(1012)
    open()
    expect(await slow).toMatchObject({ connection: 'close', text: expect.stringContaining('"result":"0x"') })
    await handedOver
    expect((await next.ask('eth_chainId')).result).toBe('0x5')
    await next[Symbol.asyncDispose]()
    agent.destroy()
  })

  it('cuts what does not finish in time, and forgets its filters and subscriptions', async () => {
    server.node.callGate = new Promise(() => {})
    const hanging = server.ask('eth_call', {}).catch(() => 'cut')
    await expect.poll(() => server.node.callsUnderWay).toBe(1)
    await server.ask('eth_newBlockFilter')
    const deaf = await opened()
    deaf.send(JSON.stringify(message('eth_subscribe', ['newHeads'])))
    await new Promise(resolve => deaf.once('message', resolve))
    deaf.pause()
    await server.handOver()
    expect(await hanging).toBe('cut')
    expect(server.node.listeners()).toBe(0)
    deaf.terminate()
    await start()
  })

  it('that stops for good says so', async () => {
    const closed = codeOf(await opened())
    await server[Symbol.asyncDispose]()
    expect(await closed).toBe(1001)
    await start()
  })
})

/** Puts transactions with so much data into the pool. */
async function fillPool({ transactions, bytes }: { transactions: number; bytes: number }): Promise<void> {
  const { pool } = server.node
  for (let nonce = 0; nonce < transactions; nonce++) {
    const data = bytesToHex(new Uint8Array(bytes))
    const raw = hexToBytes(
      await account.signTransaction({
        type: 'eip1559',
        chainId,
        nonce,
        gas: 21_000n,
        maxFeePerGas: 1n,
        to: token,
        data,
      }),
    )
    const { hash } = decodeTransaction(raw)
    pool.set(hash, { raw, hash, nonce, sender: token })
  }
}

/** Posts a large body chunk by chunk and stops when an answer comes. */
function upload({ megabytes, declared }: { megabytes: number; declared: boolean }) {
  return new Promise<{ status: number; sent: number }>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...(declared ? { 'content-length': megabytes << 20 } : {}) }
    const request = http.request(server.address.url, { method: 'POST', headers })
    let sent = 0
    let isOver = false
    request.on('response', response => {
      isOver = true
      resolve({ status: response.statusCode!, sent })
      response.resume()
      request.destroy()
    })
    request.on('error', error => (isOver ? undefined : reject(error)))
    const chunk = Buffer.alloc(1 << 20, 'a')
    const next = () => {
      if (isOver || sent === megabytes) return
      sent++
      request.write(chunk, next)
    }
    next()
  })
}
