import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { serverError } from '../../io/execution/embedded/queries/rpc-argument.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { systemClock } from '../../io/time/system-clock.js'
import { IpcEndpoint, maxIpcConnections, maxIpcLine } from './ipc-endpoint.js'

let directory: string
let file: string
let endpoint: IpcEndpoint
let gate: Promise<void>
let called: number

beforeEach(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'morphism-ipc-'))
  file = path.join(directory, 'morphism.ipc')
  gate = Promise.resolve()
  called = 0
  endpoint = await IpcEndpoint.listen({
    path: file,
    methods: {
      async test_echo({ params }) {
        called++
        await gate
        return params
      },
      test_refuse() {
        throw serverError('no')
      },
      test_bug() {
        throw new TypeError('a bug with a secret')
      },
    },
    ports: { clock: systemClock, logger: silentLogger, metrics: silentMetrics },
  })
})
afterEach(async () => {
  await endpoint[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const message = (method: string, id: number, params: unknown[] = []) =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params })

async function dial(): Promise<Socket> {
  const socket = connect({ path: file, allowHalfOpen: true })
  await new Promise(resolve => socket.once('connect', resolve))
  return socket
}

/** What comes until the endpoint closes. */
async function everything(
  socket: Socket,
): Promise<{ id: number | null; result?: unknown; error?: { code: number } }[]> {
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

async function say(bytes: string | Uint8Array) {
  const socket = await dial()
  socket.end(bytes)
  return everything(socket)
}

describe('the administration socket', () => {
  it('is for its owner alone, and gone when the node stops', async () => {
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await endpoint[Symbol.asyncDispose]()
    expect(existsSync(file)).toBe(false)
  })

  it('answers line by line, in order, with or without a last newline', async () => {
    const answers = await say(
      `${message('test_echo', 1, ['a'])}\n\n${message('test_refuse', 2)}\n${message('test_echo', 3)}`,
    )
    expect(answers).toEqual([
      { jsonrpc: '2.0', id: 1, result: ['a'] },
      { jsonrpc: '2.0', id: 2, error: { code: -32000, message: 'no' } },
      { jsonrpc: '2.0', id: 3, result: [] },
    ])
  })

  it('answers one who has ended his half meanwhile', async () => {
    let open = () => {}
    gate = new Promise(resolve => {
      open = resolve
    })
    const answers = say(message('test_echo', 1, ['late']))
    await expect.poll(() => called).toBe(1)
    open()
    expect(await answers).toMatchObject([{ id: 1, result: ['late'] }])
  })

  it('says what is wrong with garbage, and keeps a bug to its log', async () => {
    const garbage = Uint8Array.from({ length: 1_000 }, (_, at) => (at * 151) % 256).map(byte =>
      byte === 10 ? 11 : byte,
    )
    expect(await say(garbage)).toMatchObject([{ id: null, error: { code: -32700 } }])
    const answers = await say(`{"id":1}\n[]\n"x"\n${message('no_such', 2)}\n${message('test_bug', 3)}\n`)
    expect(answers.map(({ error }) => error!.code)).toEqual([-32600, -32600, -32600, -32601, -32603])
    expect(JSON.stringify(answers)).not.toContain('secret')
  })

  it('refuses a line that is too long, ended or not, and closes', async () => {
    const echo = (length: number) => message('test_echo', 1, ['x'.repeat(length)])
    const room = maxIpcLine - echo(0).length
    expect(await say(`${echo(room)}\n`)).toMatchObject([{ id: 1, result: [expect.any(String)] }])
    const socket = await dial()
    socket.write(echo(room + 1_000_000))
    expect(await everything(socket)).toMatchObject([
      { id: null, error: { code: -32600, message: 'message too large' } },
    ])
    expect(await say(`${echo(room + 1)}\n${message('test_echo', 2)}\n`)).toMatchObject([{ error: { code: -32600 } }])
    expect(called).toBe(1)
  })

  it('refuses connections beyond its limit, and takes one again when another has gone', async () => {
    const sockets: Socket[] = []
    for (let at = 0; at < maxIpcConnections; at++) {
      const socket = await dial()
      socket.write(`${message('test_echo', at)}\n`)
      await new Promise(resolve => socket.once('data', resolve))
      sockets.push(socket)
    }
    const refused = await dial()
    expect(await everything(refused)).toMatchObject([{ error: { code: -32005, message: 'too many connections' } }])
    refused.destroy()
    sockets[0]!.destroy()
    await expect.poll(async () => (await say(message('test_echo', 9)))[0]?.id).toBe(9)
    for (const socket of sockets) socket.destroy()
  })

  it('closes at once, with a call under way', async () => {
    gate = new Promise(() => {})
    const socket = await dial()
    socket.write(`${message('test_echo', 1)}\n`)
    await expect.poll(() => called).toBe(1)
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.resume().on('end', () => socket.end())
    await endpoint[Symbol.asyncDispose]()
    await closed
  })
})
