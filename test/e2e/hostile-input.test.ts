import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { packageRoot } from '../../src/app/package-root.js'
import { type DevnetNode, RunningDevnet, until, withoutBatches } from './running-devnet.js'

const mebibyte = 1024 * 1024
/** What any of these attacks may add to a node's memory: the largest message is refused at 5 MiB. */
const memoryAllowance = 250 * mebibyte

let devnet: RunningDevnet
let full: DevnetNode
let sequencer: DevnetNode

beforeAll(async () => {
  devnet = await RunningDevnet.start({ sequencers: 1, parameters: withoutBatches })
  full = devnet.full
  sequencer = devnet.sequencers[0]!
})
afterAll(() => devnet?.destroy())

/** Resident memory of a node, in bytes. */
function residentBytes({ pid }: DevnetNode): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024
}

/** Runs an attack on a node, and checks that it lives on within its memory and that blocks go on. */
async function survive(node: DevnetNode, attack: () => Promise<void>): Promise<void> {
  const memory = residentBytes(node)
  await attack()
  const height = await devnet.height(node)
  await until('the next block', 60_000, async () => (await devnet.height(node)) >= height + 1)
  expect(await devnet.rpc(node, 'morphism_nodeStatus')).toMatchObject({ ready: true })
  expect(residentBytes(node) - memory).toBeLessThan(memoryAllowance)
}

interface Answer {
  readonly id?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}

async function post(
  body: string | Uint8Array,
  contentType = 'application/json',
): Promise<{ status: number; text: string }> {
  const response = await fetch(full.rpcUrl, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body: body as RequestInit['body'] & string,
  })
  return { status: response.status, text: await response.text() }
}

describe('JSON-RPC', () => {
  it('answers what is no call with the errors of the standard', async () => {
    await survive(full, async () => {
      const codeOf = async (body: string | Uint8Array) => (JSON.parse((await post(body)).text) as Answer).error?.code
      for (let i = 0; i < 50; i++) expect(await codeOf(randomBytes(20 + i * 50))).toBe(-32700)
      for (const body of ['', '{', '[1', 'nul', `${'['.repeat(40_000)}`]) expect(await codeOf(body)).toBe(-32700)
      for (const body of [
        '{}',
        '1',
        'null',
        '[]',
        '{"jsonrpc":"2.0"}',
        '{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}',
      ])
        expect(await codeOf(body), body).toBe(-32600)
      // Deeper than any parser should follow by recursion: an error, whichever, and no crash.
      const deep = `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
      expect(await codeOf(deep)).toBeLessThan(0)
      expect((await post('{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}', 'text/html')).status).toBe(415)
    })
  })

  it('refuses too large batches and bodies', async () => {
    await survive(full, async () => {
      const call = { jsonrpc: '2.0', id: 1, method: 'eth_blockNumber' }
      const { text } = await post(JSON.stringify(Array(20_000).fill(call)))
      expect([JSON.parse(text)].flat()[0]).toMatchObject({
        error: { code: -32600, message: expect.stringMatching(/batch/) },
      })
      // A declared length is refused before the body comes, an undeclared one as soon as it is too long.
      expect(await statusOfUpload({ 'content-length': `${30 * mebibyte}` }, 0)).toBe(413)
      expect(await statusOfUpload({ 'transfer-encoding': 'chunked' }, 5 * mebibyte + 1)).toBe(413)
      // Who goes on regardless is cut off at some point, or answered.
      expect(await statusOfUpload({ 'content-length': `${30 * mebibyte}` }, 30 * mebibyte).catch(() => 413)).toBe(413)
    })
  })

  it('names what is wrong with the arguments of every method', async () => {
    await survive(full, async () => {
      const junk: unknown[] = [
        null,
        -1,
        1e300,
        true,
        'latest ',
        '0x',
        '0xzz',
        `0x${'f'.repeat(1_000)}`,
        {},
        [],
        [[[]]],
        { to: 5 },
        { fromBlock: {}, topics: 'x', address: [1] },
        'a'.repeat(10_000),
        { __proto__: null, constructor: 1 },
      ]
      const calls = methods.flatMap(method =>
        junk
          .flatMap(value => [[value], [value, value], [value, value, value, value, value]])
          .map(params => ({ method, params })),
      )
      const named = methods.map(method => ({ method, params: { block: 'latest' } }))
      const all = [...calls, ...named].map((call, id) => ({ jsonrpc: '2.0', id, ...call }))
      for (let at = 0; at < all.length; at += 500) {
        const sent = all.slice(at, at + 500)
        const answers = JSON.parse((await post(JSON.stringify(sent))).text) as Answer[]
        expect(answers).toHaveLength(sent.length)
        for (const [i, { id, error, result }] of answers.entries()) {
          const about = JSON.stringify(sent[i]).slice(0, 300)
          expect(id, about).toBe(sent[i]!.id)
          expect(error === undefined ? 'result' : typeof error.message, about).toBe(
            error === undefined ? 'result' : 'string',
          )
          if (error) expect(error, about).toMatchObject({ code: expect.not.toBeOneOf([-32603]) })
          else expect(result, about).toBeDefined()
          expect(error?.message.length ?? 0, about).toBeLessThan(1_000)
        }
      }
    })
  })

  it('closes a WebSocket that sends too much, and answers garbage on one', async () => {
    await survive(full, async () => {
      const socket = new WebSocket(full.wsUrl)
      await once(socket, 'open')
      const answer = once(socket, 'message')
      socket.send('no json')
      expect(JSON.parse(String((await answer)[0]))).toMatchObject({ id: null, error: { code: -32700 } })
      const closed = once(socket, 'close')
      socket.on('error', () => {})
      socket.send(Buffer.alloc(30 * mebibyte, 0x20))
      expect((await closed)[0]).toBeOneOf([1006, 1009])
      // A frame that promises an exabyte, without a byte of it.
      const raw = net.connect(Number(new URL(full.rpcUrl).port), '127.0.0.1')
      raw.on('error', () => {})
      raw.write(
        'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      )
      await once(raw, 'data')
      raw.write(Buffer.from('81ff0fffffffffffffff00000000', 'hex'))
      raw.resume()
      await once(raw, 'close')
    })
  })

  it('drops half-open HTTP requests and bytes that are no HTTP', async () => {
    await survive(full, async () => {
      const port = Number(new URL(full.rpcUrl).port)
      const sockets = Array.from({ length: 100 }, (_, i) => {
        const socket = net.connect(port, '127.0.0.1').on('error', () => {})
        socket.write(i % 2 ? 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{' : randomBytes(500))
        return socket
      })
      expect(await devnet.rpc(full, 'eth_chainId')).toBe('0xa455')
      for (const socket of sockets) socket.destroy()
    })
  })
})

describe('the p2p port', () => {
  it('takes 1,000 connections of garbage while blocks go on', async () => {
    const port = sequencer.command[sequencer.command.indexOf('--p2p-port') + 1]!
    await survive(sequencer, async () => {
      const program = path.join(packageRoot, 'build', 'test', 'e2e', 'garbage-connections.js')
      const attacker = spawn(process.execPath, [program, '1000', port], { stdio: ['ignore', 'pipe', 'inherit'] })
      try {
        let opened = 0
        createInterface({ input: attacker.stdout }).on('line', line => {
          opened = (JSON.parse(line) as { opened: number }).opened
        })
        await until('the connections', 60_000, async () => opened >= 1_000)
        const [sent, seen] = [await devnet.height(sequencer), await devnet.height(full)]
        // They come again and again meanwhile; the full node, a real peer, is still served.
        await until(
          'blocks at both',
          60_000,
          async () => (await devnet.height(sequencer)) > sent && (await devnet.height(full)) > seen,
        )
      } finally {
        attacker.kill('SIGKILL')
      }
    })
    expect(await devnet.rpc(sequencer, 'net_peerCount')).toBe('0x1')
  })
})

/** Sends the head of a request and so many bytes of its body; gives the status of the answer. */
function statusOfUpload(headers: Record<string, string>, length: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }
    const request = http.request(full.rpcUrl, options)
    request.once('response', response => {
      response.resume()
      resolve(response.statusCode)
      request.destroy()
    })
    request.on('error', reject)
    request.flushHeaders()
    if (length > 0) request.write(Buffer.alloc(length, 0x20))
  })
}

const methods = (
  'eth_accounts eth_blobBaseFee eth_blockNumber eth_call eth_chainId eth_createAccessList eth_estimateGas eth_feeHistory ' +
  'eth_gasPrice eth_getBalance eth_getBlockByHash eth_getBlockByNumber eth_getBlockReceipts ' +
  'eth_getBlockTransactionCountByHash eth_getBlockTransactionCountByNumber eth_getCode eth_getFilterChanges ' +
  'eth_getFilterLogs eth_getLogs eth_getProof eth_getRawTransactionByHash eth_getStorageAt ' +
  'eth_getTransactionByBlockHashAndIndex eth_getTransactionByBlockNumberAndIndex eth_getTransactionByHash ' +
  'eth_getTransactionCount eth_getTransactionReceipt eth_getUncleCountByBlockNumber eth_maxPriorityFeePerGas eth_mining ' +
  'eth_newBlockFilter eth_newFilter eth_newPendingTransactionFilter eth_sendRawTransaction eth_sendTransaction eth_sign ' +
  'eth_subscribe eth_syncing eth_uninstallFilter eth_unsubscribe net_version web3_clientVersion web3_sha3 txpool_content ' +
  'txpool_contentFrom txpool_inspect txpool_status morphism_getBatch morphism_getCertificate morphism_getContext ' +
  'morphism_explain morphism_nodeStatus morphism_peers morphism_sequencerSet morphism_stateDiff'
).split(' ')
