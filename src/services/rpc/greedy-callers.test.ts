import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { zeroHash } from '../../base/primitives/hashes.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { token } from './fake-node.fixture.js'
import type { RpcConfig } from './rpc-config.js'
import { type Json, message, RunningServer } from './running-server.fixture.js'

const mib = 1024 * 1024
/** More than what the sockets' buffers take of an answer that is not read. */
const largeResult = new Uint8Array(4 * mib)

let server: RunningServer
let clock: VirtualClock
const start = async (config?: Partial<RpcConfig>): Promise<void> => {
  await server?.[Symbol.asyncDispose]()
  clock = new VirtualClock()
  server = await RunningServer.start(config, clock)
}

beforeEach(() => start())
afterEach(() => server[Symbol.asyncDispose]())

/** A connection that sends bytes and reads none until it is told to. */
async function silentConnection(): Promise<Socket> {
  const socket = connect(server.address.port, '127.0.0.1').pause()
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Reads from now on: what came, and whether the server closed it. */
function watch(socket: Socket) {
  const state = { isClosed: false, text: '' }
  socket.setEncoding('latin1').on('data', text => {
    state.text += text
  })
  socket.on('close', () => {
    state.isClosed = true
  })
  socket.resume()
  return state
}

const post = (body: string, length = body.length) =>
  `POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`
const call = (id: number) => JSON.stringify(message('eth_call', [{}], id))
/** Whatever was sent to the server before this was called has been read when it resolves. */
const roundTrip = async () => expect((await server.ask('eth_chainId')).result).toBe('0x5')

describe('an HTTP answer that is not read', () => {
  it('ends its connection after two looks, and not after one', async () => {
    server.node.callResult = largeResult
    const [deaf, late] = [await silentConnection(), await silentConnection()]
    for (const socket of [deaf, late]) socket.write(post(call(1)))
    await expect.poll(() => server.node.answeredCalls).toBe(2)
    await roundTrip()
    await clock.advance(30_000)
    const heard = watch(late)
    await expect.poll(() => heard.text.length).toBeGreaterThan(8 * mib)
    await clock.advance(30_000)
    const end = watch(deaf)
    await expect.poll(() => end.isClosed).toBe(true)
    expect(end.text.length).toBeLessThan(8 * mib)
    late.write(post(call(2)))
    await expect.poll(() => heard.text.length).toBeGreaterThan(16 * mib)
    late.destroy()
  })

  it('is the only one of its connection: pipelined requests are answered one by one, in their order', async () => {
    let open = () => {}
    server.node.callGate = new Promise(resolve => {
      open = resolve
    })
    const socket = await silentConnection()
    socket.write([1, 2, 3].map(id => post(call(id))).join(''))
    await expect.poll(() => server.node.callsUnderWay).toBeGreaterThan(0)
    await roundTrip()
    expect(server.node.callsUnderWay).toBe(1)
    open()
    const heard = watch(socket)
    await expect.poll(() => [...heard.text.matchAll(/"id":(\d)/g)].map(([, id]) => id)).toEqual(['1', '2', '3'])
    socket.destroy()
  })

  it('lets few requests wait behind it', async () => {
    server.node.callGate = new Promise(() => {})
    const socket = await silentConnection()
    socket.write(post(call(1)).repeat(100))
    const end = watch(socket)
    await expect.poll(() => end.isClosed).toBe(true)
    await roundTrip()
  })
})

describe('what callers hold in all', () => {
  it('is bounded for unfinished bodies and WebSocket messages: who holds most is dropped', async () => {
    await start({ maxHeldBytes: mib })
    const body = call(1).padEnd(400_000)
    const modest = await silentConnection()
    modest.write(post(body.slice(0, 300_000), body.length))
    const [greedy, less] = [await server.openSocket(), await server.openSocket()]
    const closed = once(greedy.socket, 'close')
    greedy.socket.send('x'.repeat(500_000), { fin: false })
    await roundTrip()
    less.socket.send(' '.repeat(400_000), { fin: false })
    await closed
    less.socket.send(JSON.stringify(message('eth_chainId')), { fin: true })
    await expect.poll(() => less.received).toMatchObject([{ result: '0x5' }])
    modest.write(body.slice(300_000))
    const heard = watch(modest)
    await expect.poll(() => heard.text).toContain('"result":"0x"')
    modest.destroy()
    less.socket.terminate()
  })

  it('is bounded for HTTP bodies in small pieces', async () => {
    await start({ maxHeldBytes: mib })
    const socket = await silentConnection()
    socket.write(`${post('').replace('content-length: 0', 'transfer-encoding: chunked')}${'1\r\n \r\n'.repeat(20_000)}`)
    const end = watch(socket)
    await expect.poll(() => end.isClosed).toBe(true)
    await roundTrip()
  })

  it('is bounded for batches whose answers are in the making, and those of who is dropped end', async () => {
    await start({ maxHeldBytes: mib })
    server.node.callResult = new Uint8Array(10_000)
    const batch = Array.from({ length: 500 }, (_, id) => message('eth_call', [{}], id))
    const { socket, send } = await server.openSocket()
    const closed = once(socket, 'close')
    send(batch)
    await closed
    const http = await silentConnection()
    http.write(post(JSON.stringify(batch)))
    const end = watch(http)
    await expect.poll(() => end.isClosed).toBe(true)
    await roundTrip()
    expect(server.node.answeredCalls).toBe(100)
  })

  it('is bounded for batches of which one call is slow: what the others gave counts as it comes', async () => {
    await start({ maxHeldBytes: mib })
    server.node.callResult = new Uint8Array(100_000)
    const { socket, send } = await server.openSocket()
    const closed = once(socket, 'close')
    let calls = 0
    Object.defineProperty(server.node, 'callGate', {
      get: () => (calls++ === 0 ? new Promise(() => {}) : Promise.resolve()),
    })
    send(Array.from({ length: 40 }, (_, id) => message('eth_call', [{}], id)))
    await closed
    await roundTrip()
  })

  it('is bounded for parsed messages, which take more than their text', async () => {
    await start({ maxHeldBytes: mib })
    const { socket, send } = await server.openSocket()
    const closed = once(socket, 'close')
    // 60 kB of text, 20,000 objects.
    send([message('eth_chainId'), message('eth_none', [Array(20_000).fill({})])])
    await closed
    await roundTrip()
  })

  it.each([
    ['in all', { maxHeldBytes: mib }],
    ['for each connection', { maxUnsentBytes: mib }],
  ])('is bounded %s for notifications that wait for the answer with their id', async (_what, config) => {
    await start(config)
    server.node.callGate = new Promise(() => {})
    const subscribeAndWait = (count: number) => [
      ...Array.from({ length: count }, (_, id) => message('eth_subscribe', ['newHeads'], id)),
      message('eth_call', [{}]),
    ]
    const [greedy, modest] = [await server.openSocket(), await server.openSocket()]
    greedy.send(subscribeAndWait(100))
    modest.send(subscribeAndWait(1))
    await expect.poll(() => server.node.callsUnderWay).toBe(2)
    for (let block = 0; block < 20; block++) server.node.mine([])
    await expect.poll(() => greedy.socket.readyState).toBe(greedy.socket.CLOSED)
    expect(modest.socket.readyState).toBe(modest.socket.OPEN)
    modest.socket.terminate()
  })

  it('is bounded for answers that are not read, over HTTP and WebSocket', async () => {
    await start({ maxHeldBytes: 14 * mib })
    server.node.callResult = largeResult
    const reader = await server.openSocket()
    const deaf = await server.openSocket()
    const closed = once(deaf.socket, 'close')
    deaf.socket.pause()
    deaf.send(message('eth_call', [{}]))
    await expect.poll(() => server.node.answeredCalls).toBe(1)
    const http = await silentConnection()
    http.write(post(call(1)))
    await expect.poll(() => server.node.answeredCalls).toBe(2)
    await roundTrip()
    deaf.socket.resume()
    await closed
    expect(deaf.received).toEqual([])
    const heard = watch(http)
    await expect.poll(() => heard.text.length).toBeGreaterThan(8 * mib)
    reader.send(message('eth_call', [{}]))
    await expect.poll(() => (reader.received as Json[]).length).toBe(1)
    http.destroy()
    reader.socket.terminate()
  })
})

it('a WebSocket message that does not end in time ends its connection, and only that', async () => {
  const [stuck, idle] = [await server.openSocket(), await server.openSocket()]
  const closed = once(stuck.socket, 'close')
  const pinged = async () => {
    await Promise.all(
      [stuck, idle].map(async ({ socket }) => {
        const pong = once(socket, 'pong')
        socket.ping()
        await pong
      }),
    )
  }
  stuck.socket.send('{', { fin: false })
  for (let look = 0; look < 2; look++) {
    await pinged()
    await clock.advance(30_000)
  }
  await closed
  for (let look = 0; look < 3; look++) {
    idle.send(message('eth_chainId'))
    await expect.poll(() => idle.received.length).toBe(look + 1)
    await clock.advance(30_000)
  }
  idle.socket.terminate()
})

it('whose subscriptions ask for too much of a block hears so, and only he', async () => {
  await start({ maxLogNotificationsPerConnection: 20 })
  const [greedy, modest] = [await server.openSocket(), await server.openSocket()]
  for (let id = 0; id < 3; id++) greedy.send(message('eth_subscribe', ['logs', {}], id))
  modest.send(message('eth_subscribe', ['logs', {}]))
  await expect.poll(() => greedy.received.length + modest.received.length).toBe(4)
  const closed = once(greedy.socket, 'close')
  const pooled = { raw: new Uint8Array(5), hash: zeroHash, sender: token, nonce: 0 }
  server.node.mine(Array(10).fill(pooled))
  const [code, reason] = await closed
  expect([code, String(reason)]).toEqual([1013, 'too many logs of one block for all its subscriptions'])
  expect(greedy.received).toHaveLength(3 + 20)
  await expect.poll(() => modest.received.length).toBe(11)
  modest.socket.terminate()
})
