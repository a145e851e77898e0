import http from 'node:http'
import { connect } from 'node:net'
import { ethers } from 'ethers'
import fc from 'fast-check'
import { createPublicClient, createWalletClient, defineChain, type Hex, http as httpTransport, webSocket } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { type Address, type TransactionHash, zeroHash } from '../../base/primitives/hashes.js'
import { ok, refuse } from '../../base/primitives/result.js'
import { genesisBatchHeader } from '../../base/protocol/batch-header.js'
import type { Block } from '../../base/protocol/block.js'
import { contextHash, emptyInboxRoot } from '../../base/protocol/block-context.js'
import { emptyRequestsHash, emptyTrieRoot, headerHash } from '../../base/protocol/block-header.js'
import { decodeTransaction, recoverSender } from '../../base/protocol/transaction.js'
import { createEthQueries } from '../../io/execution/embedded/queries/eth-queries.js'
import { logsBloom } from '../../io/execution/embedded/queries/log-bloom.js'
import { logToJson } from '../../io/execution/embedded/queries/receipt-json.js'
import type { StoredReceipt } from '../../io/execution/embedded/reading.js'
import type { HeadChange } from '../../io/execution/execution-client.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { systemClock } from '../../io/time/system-clock.js'
import type { RpcConfig } from './rpc-config.js'
import type { PooledTransaction, RpcPorts } from './rpc-ports.js'
import { createRpcServer, type RpcServer } from './rpc-server.js'

const chainId = 5
const token = `0x${'aa'.repeat(20)}` as Address
const account = privateKeyToAccount(`0x${'11'.repeat(32)}`)
const gwei = 1_000_000_000n

/** A chain in memory whose blocks hold one transaction each; every transaction logs once. */
class FakeNode {
  readonly blocks: Block[] = []
  readonly receipts: StoredReceipt[][] = []
  readonly pool = new Map<TransactionHash, PooledTransaction>()
  private readonly headHandlers = new Set<(change: HeadChange) => void>()
  private readonly pendingHandlers = new Set<(pooled: PooledTransaction) => void>()
  /** Answers of eth_call wait for this. */
  callGate: Promise<void> = Promise.resolve()
  abortedCalls = 0
  syncing: { startingBlock: number; currentBlock: number; highestBlock: number } | null = null

  constructor() {
    this.mine([])
  }

  mine(pooled: readonly PooledTransaction[]): void {
    const number = this.blocks.length
    const receipts = pooled.map(
      ({ sender, transaction }, index): StoredReceipt => ({
        sender,
        succeeded: true,
        gasUsed: 21_000,
        cumulativeGasUsed: 21_000 * (index + 1),
        effectiveGasPrice: 2n * gwei,
        contractAddress: null,
        logs: [{ address: token, topics: [zeroHash], data: transaction.data }],
      }),
    )
    const context = {
      version: 1,
      setId: 1,
      proposerIndex: 0,
      timestampMs: 0,
      l1OriginNumber: 1,
      l1OriginHash: zeroHash,
      messagesConsumed: 0,
      inboxRoot: emptyInboxRoot,
    }
    const header = {
      parentHash: this.blocks.at(-1)?.hash ?? zeroHash,
      feeRecipient: token,
      stateRoot: emptyTrieRoot,
      transactionsRoot: emptyTrieRoot,
      receiptsRoot: emptyTrieRoot,
      logsBloom: logsBloom(receipts.flatMap(({ logs }) => logs)),
      number,
      gasLimit: 30_000_000,
      gasUsed: 21_000 * pooled.length,
      timestamp: 1_700_000_000 + number,
      prevRandao: zeroHash,
      baseFeePerGas: gwei,
      withdrawalsRoot: emptyTrieRoot,
      parentBeaconBlockRoot: contextHash(context),
      requestsHash: emptyRequestsHash,
    }
    const transactions = pooled.map(({ transaction }) => transaction.raw)
    const block: Block = { hash: headerHash(header), header, context, transactions, withdrawals: [] }
    this.blocks.push(block)
    this.receipts.push(receipts)
    for (const { transaction } of pooled) this.pool.delete(transaction.hash)
    const logs = receipts.flatMap((receipt, transactionIndex) =>
      receipt.logs.map(log =>
        logToJson(log, {
          header,
          blockHash: block.hash,
          transactionHash: pooled[transactionIndex]!.transaction.hash,
          transactionIndex,
          logIndex: transactionIndex,
        }),
      ),
    )
    for (const handler of this.headHandlers) handler({ block, touched: [], logs })
  }

  /** Mines what waits. */
  mineAll(): void {
    this.mine([...this.pool.values()])
  }

  private readonly queries = createEthQueries({
    chain: {
      heads: () => ({ head: this.blocks.at(-1)!.header, safe: 0, finalized: 0 }),
      hashAt: height => this.blocks[height]?.hash ?? null,
      headerAt: height => this.blocks[height]?.header ?? null,
      blockAt: height => this.blocks[height] ?? null,
      heightOf: hash => this.blocks.find(block => block.hash === hash)?.header.number ?? null,
      receiptsAt: height => this.receipts[height] ?? null,
      transactionPosition: hash => {
        for (const { header, transactions } of this.blocks) {
          const index = transactions.findIndex(raw => keccak256Hex(raw) === hash)
          if (index >= 0) return { height: header.number, index }
        }
        return null
      },
    },
    state: {
      balance: () => 10n ** 18n,
      nonce: () => this.blocks.reduce((sum, block) => sum + block.transactions.length, 0),
      code: () => new Uint8Array(0),
      storage: () => zeroHash,
      proof: () => expect.fail('no test asks for a proof'),
    },
    calls: {
      call: async (request, signal) => {
        signal?.addEventListener('abort', () => this.abortedCalls++)
        await this.callGate
        return request.to === token
          ? { status: 'reverted', data: new Uint8Array(0), gasUsed: 1 }
          : { status: 'returned', data: request.data, gasUsed: 21_000, logs: [], createdAddress: null }
      },
    },
    chainId,
  })

  ports(): RpcPorts {
    const subscribe = <Handler>(handlers: Set<Handler>, handler: Handler) => {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    }
    return {
      execution: this.queries,
      heads: { onHead: handler => subscribe(this.headHandlers, handler) },
      mempool: {
        addRaw: async raw => {
          if (raw.length < 50) return refuse({ code: -32000, message: 'typed transaction too short' })
          const transaction = decodeTransaction(raw)
          const pooled = { transaction, sender: recoverSender(transaction)! }
          if (this.pool.has(transaction.hash)) return refuse({ code: -32000, message: 'already known' })
          this.pool.set(transaction.hash, pooled)
          for (const handler of this.pendingHandlers) handler(pooled)
          return ok(transaction.hash)
        },
        pendingNonce: async () => 7,
        transaction: hash => this.pool.get(hash),
        content: () => new Map([...this.pool.values()].map(item => [item.sender, { pending: [item], queued: [] }])),
        contentFrom: () => ({ pending: [...this.pool.values()], queued: [] }),
        status: () => ({ pending: this.pool.size, queued: 0 }),
        onPending: handler => subscribe(this.pendingHandlers, handler),
      },
      network: { peerCount: () => 3, syncing: () => this.syncing },
      morphism: {
        certificateAt: async height =>
          height === 0
            ? null
            : { height, round: 1, blockHash: zeroHash, setId: 2, absent: 5n, signature: new Uint8Array(96).fill(7) },
        sequencerSetAt: async () => null,
        contextAt: async height => this.blocks[height]?.context ?? null,
        batch: async selector =>
          selector === 9
            ? null
            : {
                header: genesisBatchHeader({ blockHash: zeroHash, stateRoot: zeroHash }),
                batchHash: zeroHash,
                certificate: { absent: 1n, signature: new Uint8Array(96) },
                status: 'committed',
                l1TransactionHash: zeroHash,
                l1BlockNumber: 17,
              },
        nodeStatus: async () => ({
          role: 'full',
          version: '0.1.0',
          ready: true,
          syncing: false,
          height: 20,
          round: 0,
          step: 'propose',
          proposer: null,
          setId: 1,
          peers: 3,
          latestBatch: 3,
          committedBatch: 2,
          finalizedBatch: 1,
          l1Origin: { number: 255, hash: zeroHash },
        }),
      },
      clock: systemClock,
      logger: silentLogger,
      metrics: silentMetrics,
    }
  }
}

let node: FakeNode
let server: RpcServer

async function start(config: Partial<RpcConfig> = {}): Promise<void> {
  await server?.[Symbol.asyncDispose]()
  node = new FakeNode()
  server = await createRpcServer({
    config: { chainId, clientVersion: 'morphism/test', port: 0, ...config },
    ports: node.ports(),
  })
}

beforeEach(() => start())
afterEach(() => server[Symbol.asyncDispose]())

type Json = Record<string, unknown>

async function post(
  body: string | Uint8Array,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) {
  const response = await fetch(server.address().url, { method: 'POST', headers, body })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text }
}

const message = (method: string, params: unknown[] = [], id: unknown = 1) => ({ jsonrpc: '2.0', id, method, params })

async function ask(method: string, ...params: unknown[]): Promise<Json & { result?: unknown; error?: Json }> {
  return JSON.parse((await post(JSON.stringify(message(method, params)))).text)
}

const sign = (nonce: number) =>
  account.signTransaction({
    type: 'eip1559',
    chainId,
    nonce,
    gas: 21_000n,
    to: account.address,
    maxFeePerGas: 3n * gwei,
    maxPriorityFeePerGas: gwei,
  })

describe('JSON-RPC 2.0 over HTTP', () => {
  it('answers a call with its id, whatever valid id it has', async () => {
    for (const id of [1, 'a"b', null, 0, -7, 1.5])
      expect(JSON.parse((await post(JSON.stringify(message('eth_chainId', [], id)))).text)).toEqual({
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
      ['['.repeat(100_000), -32700, null],
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
      [`{"jsonrpc":"2.0","id":4,"method":"eth_call","params":[${'['.repeat(50_000)}${']'.repeat(50_000)}]}`, -32602, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_call","params":[{"__proto__":{"to":1}},"latest"]}', 0, 4],
    ]
    for (const [body, code, id] of cases) {
      const { status, text } = await post(body)
      const answer = JSON.parse(text)
      expect(status).toBe(200)
      expect([answer.error?.code ?? 0, answer.id], body.slice(0, 80)).toEqual([code, id])
    }
  })

  it('a notification has no answer, alone or in a batch', async () => {
    const notification = { jsonrpc: '2.0', method: 'eth_chainId' }
    expect((await post(JSON.stringify(notification))).text).toBe('')
    expect((await post(JSON.stringify([notification, notification]))).text).toBe('')
    expect(JSON.parse((await post(JSON.stringify([notification, message('net_version')]))).text)).toHaveLength(1)
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
    const answers = JSON.parse((await post(JSON.stringify(batch))).text) as Json[]
    expect(answers.map(answer => answer.id)).toEqual([3, null, 'x', ...Array.from({ length: 120 }, (_, i) => i)])
    expect(answers[1]!.error).toEqual({ code: -32600, message: 'invalid request' })
    expect(answers.at(-1)!.result).toBe('0x0')
    expect(answers.at(-2)!.result).toBe('0x7')
  })

  it('bounds a batch by number and by the size of its answers', async () => {
    await start({ maxBatch: 10, maxBatchResponseBytes: 500 })
    expect(JSON.parse((await post(JSON.stringify(Array(11).fill(message('eth_chainId', [], 8))))).text)).toEqual([
      { jsonrpc: '2.0', id: 8, error: { code: -32600, message: 'batch too large' } },
    ])
    const block = message('eth_getBlockByNumber', ['0x0', false])
    const answers = JSON.parse((await post(JSON.stringify([message('eth_chainId'), block, block]))).text) as Json[]
    expect(answers.map(answer => (answer.error as Json)?.code)).toEqual([undefined, -32003, -32003])
  })

  it('refuses what is no JSON post, with the status of geth', async () => {
    const { url } = server.address()
    const status = async (init: RequestInit, path = '/') => (await fetch(url + path, init)).status
    expect(await status({ method: 'GET' })).toBe(405)
    expect(await status({ method: 'PUT', body: '{}' })).toBe(405)
    expect(await status({ method: 'POST', body: '{}' }, '/other')).toBe(404)
    expect((await post('{}', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
    expect((await post('{}', { 'content-type': 'text/plain' })).status).toBe(415)
    const body = JSON.stringify(message('eth_chainId'))
    expect((await post(body, { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(200)
    expect((await post(body, { 'content-type': 'application/json-rpc' })).status).toBe(200)
  })

  it('lets browsers of the allowed origins in, and only those', async () => {
    await start({ corsOrigins: ['https://app.example'] })
    const headers = { 'content-type': 'application/json' }
    const allowed = await post('{}', { ...headers, origin: 'https://app.example' })
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
    const other = await post('{}', { ...headers, origin: 'https://evil.example' })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
    const preflight = await fetch(server.address().url, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'content-type'])
  })

  it('a body over the limit is answered 413 and never held', async () => {
    for (const declared of [true, false]) {
      const before = process.memoryUsage.rss()
      const { status, sent } = await upload({ megabytes: 60, declared })
      expect(status).toBe(413)
      expect(process.memoryUsage.rss() - before).toBeLessThan(40 * 1024 * 1024)
      expect(sent).toBeLessThanOrEqual(60)
    }
    expect((await ask('eth_chainId')).result).toBe('0x5')
  })

  it('limits the rate of a caller', async () => {
    await start({ requestsPerSecond: 2 })
    const statuses = []
    for (let i = 0; i < 6; i++) statuses.push((await post(JSON.stringify(message('eth_chainId')))).status)
    expect(statuses.slice(0, 4)).toEqual([200, 200, 200, 200])
    expect(statuses.at(-1)).toBe(429)
  })

  it('limits calls under way, ends a query that takes too long, and one whose caller left', async () => {
    await start({ maxConcurrentRequests: 2, executionTimeoutMs: 300 })
    let open = () => {}
    node.callGate = new Promise(resolve => {
      open = resolve
    })
    const controller = new AbortController()
    const left = fetch(server.address().url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message('eth_call', [{}])),
      signal: controller.signal,
    }).catch(() => 'left')
    const slow = ask('eth_call', {})
    await expect.poll(async () => (await ask('eth_chainId')).error?.code).toBe(-32005)
    controller.abort()
    expect(await left).toBe('left')
    expect((await slow).error).toEqual({ code: -32002, message: 'request timed out' })
    await expect.poll(() => node.abortedCalls).toBe(2)
    open()
    expect((await ask('eth_chainId')).result).toBe('0x5')
  })

  it('disposes at once, with connections open and a call under way', async () => {
    node.callGate = new Promise(() => {})
    const hanging = ask('eth_call', {}).catch(() => 'cut')
    const socket = new WebSocket(server.address().wsUrl)
    await new Promise(resolve => socket.once('open', resolve))
    const closed = new Promise(resolve => socket.once('close', resolve))
    const startMs = performance.now()
    await server[Symbol.asyncDispose]()
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(await hanging).toBe('cut')
    await closed
    await start()
  })

  it('a busy port is a named error', async () => {
    const { port } = server.address()
    const second = createRpcServer({ config: { chainId, clientVersion: '', port }, ports: node.ports() })
    await expect(second).rejects.toMatchObject({ name: 'RpcServerError', code: 'PORT_IN_USE' })
  })
})

/** Posts a large body chunk by chunk and stops when an answer comes. */
function upload({ megabytes, declared }: { megabytes: number; declared: boolean }) {
  return new Promise<{ status: number; sent: number }>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...(declared ? { 'content-length': megabytes << 20 } : {}) }
    const request = http.request(server.address().url, { method: 'POST', headers })
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

describe('methods', () => {
  it('tells about the node', async () => {
    expect((await ask('web3_clientVersion')).result).toBe('morphism/test')
    expect((await ask('web3_sha3', '0x68656c6c6f')).result).toBe(keccak256Hex(new TextEncoder().encode('hello')))
    expect((await ask('net_version')).result).toBe('5')
    expect((await ask('net_peerCount')).result).toBe('0x3')
    expect((await ask('eth_syncing')).result).toBe(false)
    node.syncing = { startingBlock: 1, currentBlock: 2, highestBlock: 30 }
    expect((await ask('eth_syncing')).result).toEqual({
      startingBlock: '0x1',
      currentBlock: '0x2',
      highestBlock: '0x1e',
    })
    expect((await ask('eth_sendTransaction', {})).error).toEqual({ code: -32000, message: 'unknown account' })
    expect((await ask('eth_call', { to: token })).error).toEqual({ code: 3, message: 'execution reverted', data: '0x' })
  })

  it('a waiting transaction is seen by hash, in txpool_, and no longer once mined', async () => {
    const raw = await sign(0)
    const hash = (await ask('eth_sendRawTransaction', raw)).result as Hex
    expect((await ask('eth_sendRawTransaction', raw)).error).toEqual({ code: -32000, message: 'already known' })
    expect((await ask('eth_getTransactionByHash', hash)).result).toMatchObject({
      hash,
      blockHash: null,
      blockNumber: null,
      from: account.address.toLowerCase(),
    })
    expect((await ask('eth_getRawTransactionByHash', hash)).result).toBe(raw)
    expect((await ask('txpool_status')).result).toEqual({ pending: '0x1', queued: '0x0' })
    expect((await ask('txpool_content')).result).toMatchObject({
      pending: { [account.address]: { 0: { hash } } },
      queued: {},
    })
    expect((await ask('txpool_inspect')).result).toEqual({
      pending: { [account.address]: { 0: `${account.address}: 0 wei + 21000 gas × 3000000000 wei` } },
      queued: {},
    })
    node.mineAll()
    expect((await ask('eth_getTransactionByHash', hash)).result).toMatchObject({ blockNumber: '0x1' })
    expect((await ask('eth_sendRawTransaction', '0x')).error?.code).toBe(-32000)
    expect((await ask('eth_sendRawTransaction', '0x0')).error?.code).toBe(-32602)
  })

  it('morphism_ methods write domain values as section 9 says', async () => {
    node.mine([])
    const { hash } = node.blocks[1]!
    const certificate = {
      height: '0x1',
      round: '0x1',
      blockHash: zeroHash,
      setId: '0x2',
      absent: '0x5',
      signature: bytesToHex(new Uint8Array(96).fill(7)),
    }
    for (const name of ['0x1', 'latest', hash])
      expect((await ask('morphism_getCertificate', name)).result).toEqual(certificate)
    expect((await ask('morphism_getCertificate', 'earliest')).result).toBeNull()
    expect((await ask('morphism_sequencerSet', '0x1')).result).toBeNull()
    expect((await ask('morphism_getContext', 'latest')).result).toMatchObject({
      setId: '0x1',
      l1OriginNumber: '0x1',
      hash: node.blocks[1]!.header.parentBeaconBlockRoot,
    })
    expect((await ask('morphism_getBatch', 'latest')).result).toMatchObject({
      status: 'committed',
      l1BlockNumber: '0x11',
      header: { version: '0x1', batchIndex: '0x0' },
      certificate: { absent: '0x1' },
    })
    expect((await ask('morphism_getBatch', '0x9')).result).toBeNull()
    expect((await ask('morphism_getBatch', 'newest')).error?.code).toBe(-32602)
    expect((await ask('morphism_nodeStatus')).result).toMatchObject({
      role: 'full',
      height: '0x14',
      l1Origin: { number: '0xff', hash: zeroHash },
    })
  })

  it('filters collect between polls and can be taken away', async () => {
    const [blocks, logs, pending] = await Promise.all([
      ask('eth_newBlockFilter'),
      ask('eth_newFilter', { address: token }),
      ask('eth_newPendingTransactionFilter'),
    ]).then(answers => answers.map(answer => answer.result))
    const hash = (await ask('eth_sendRawTransaction', await sign(0))).result
    node.mineAll()
    expect((await ask('eth_getFilterChanges', blocks)).result).toEqual([node.blocks[1]!.hash])
    expect((await ask('eth_getFilterChanges', pending)).result).toEqual([hash])
    expect((await ask('eth_getFilterChanges', logs)).result).toMatchObject([{ transactionHash: hash, logIndex: '0x0' }])
    expect((await ask('eth_getFilterChanges', logs)).result).toEqual([])
    expect((await ask('eth_getFilterLogs', logs)).result).toMatchObject([{ transactionHash: hash }])
    expect((await ask('eth_uninstallFilter', logs)).result).toBe(true)
    expect((await ask('eth_uninstallFilter', logs)).result).toBe(false)
    expect((await ask('eth_getFilterChanges', logs)).error).toEqual({ code: -32000, message: 'filter not found' })
  })
})

/** A raw WebSocket that collects what it receives. */
async function openSocket() {
  const socket = new WebSocket(server.address().wsUrl)
  const received: Json[] = []
  socket.on('message', data => received.push(JSON.parse(String(data))))
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return { socket, received, send: (value: unknown) => socket.send(JSON.stringify(value)) }
}

describe('WebSocket', () => {
  it('subscribes to heads, logs, transactions and the end of syncing', async () => {
    const { socket, received, send } = await openSocket()
    send([message('eth_subscribe', ['newHeads'], 1), message('eth_subscribe', ['logs', { topics: [zeroHash] }], 2)])
    send(message('eth_subscribe', ['newPendingTransactions'], 3))
    send(message('eth_subscribe', ['newPendingTransactions', true], 4))
    send(message('eth_subscribe', ['syncing'], 5))
    send(message('eth_subscribe', ['nothing'], 6))
    await expect.poll(() => received.length).toBe(5)
    const answers = received.splice(0).flat() as Json[]
    expect(answers.find(answer => answer.id === 6)?.error).toEqual({
      code: -32601,
      message: 'no "nothing" subscription in eth namespace',
    })
    const idOf = (call: number) => answers.find(answer => answer.id === call)?.result
    const hash = (await ask('eth_sendRawTransaction', await sign(0))).result
    node.syncing = { startingBlock: 0, currentBlock: 1, highestBlock: 9 }
    node.mineAll()
    await expect.poll(() => received.length).toBe(5)
    const told = new Map(
      received.splice(0).map(({ params }) => [(params as Json).subscription, (params as Json).result]),
    )
    expect(told.get(idOf(1))).toMatchObject({
      number: '0x1',
      hash: node.blocks[1]!.hash,
      sha3Uncles: expect.any(String),
    })
    expect(told.get(idOf(2))).toMatchObject({ transactionHash: hash })
    expect(told.get(idOf(3))).toBe(hash)
    expect(told.get(idOf(4))).toMatchObject({ hash, blockHash: null })
    expect(told.get(idOf(5))).toMatchObject({ syncing: true, status: { highestBlock: '0x9' } })
    send(message('eth_unsubscribe', [idOf(1)], 7))
    send(message('eth_unsubscribe', [idOf(1)], 8))
    await expect.poll(() => received.length).toBe(2)
    expect(received.map(({ result, error }) => result ?? error)).toEqual([
      true,
      { code: -32000, message: 'subscription not found' },
    ])
    socket.terminate()
  })

  it('bounds subscriptions, messages and origins', async () => {
    await start({ maxSubscriptionsPerConnection: 2, maxBodyBytes: 1_000 })
    const { socket, received, send } = await openSocket()
    for (let id = 0; id < 3; id++) send(message('eth_subscribe', ['newHeads'], id))
    await expect.poll(() => received.length).toBe(3)
    expect((received[2]!.error as Json).code).toBe(-32005)
    const closed = new Promise<number>(resolve => socket.once('close', resolve))
    socket.send('x'.repeat(2_000))
    expect(await closed).toBe(1009)
    const refused = new WebSocket(server.address().wsUrl, { origin: 'https://evil.example' })
    const error = await new Promise<Error>(resolve => refused.once('error', resolve))
    expect(error.message).toContain('403')
  })

  it('a subscriber that does not read is disconnected', async () => {
    await start({ maxUnsentBytes: 100_000 })
    const { socket, received, send } = await openSocket()
    send(message('eth_subscribe', ['newHeads']))
    await expect.poll(() => received.length).toBe(1)
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.pause()
    const isListening = () => server.address().port > 0
    for (let i = 0; i < 20_000 && isListening(); i++) {
      node.mine([])
      if (i % 100 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    socket.resume()
    await closed
    expect(received.length).toBeLessThan(20_000)
    expect((await ask('eth_chainId')).result).toBe('0x5')
  })
})

describe('wallets and libraries', () => {
  const chain = () =>
    defineChain({
      id: chainId,
      name: 'test',
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [server.address().url], webSocket: [server.address().wsUrl] } },
    })

  it('viem sends, waits for the receipt, reads logs and watches', async () => {
    const transport = webSocket(server.address().wsUrl)
    const client = createPublicClient({ chain: chain(), transport })
    const wallet = createWalletClient({ chain: chain(), transport: httpTransport(server.address().url), account })
    const heads: bigint[] = []
    const logs: unknown[] = []
    const stopBlocks = client.watchBlockNumber({ onBlockNumber: number => heads.push(number) })
    const stopLogs = client.watchEvent({ address: token, onLogs: found => logs.push(...found) })
    await expect.poll(async () => (await client.getBlockNumber({ cacheTime: 0 })) === 0n).toBe(true)
    const hash = await wallet.sendTransaction({ to: account.address, value: 5n })
    node.mineAll()
    const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 20 })
    expect(receipt).toMatchObject({ status: 'success', blockNumber: 1n, gasUsed: 21_000n })
    expect(await client.getTransaction({ hash })).toMatchObject({ value: 5n, nonce: 7, type: 'eip1559' })
    expect(await client.getLogs({ address: token, fromBlock: 0n })).toHaveLength(1)
    expect((await client.getBlock({ includeTransactions: true })).transactions[0]!.hash).toBe(hash)
    await expect.poll(() => heads.includes(1n) && logs.length).toBe(1)
    await expect(client.call({ to: token })).rejects.toThrow('execution reverted')
    stopBlocks()
    stopLogs()
    const socket = await transport({ chain: chain() }).value?.getRpcClient()
    socket?.close()
  })

  it('ethers sends, waits for the receipt, reads logs and listens', async () => {
    const provider = new ethers.WebSocketProvider(server.address().wsUrl, chainId)
    const heads: number[] = []
    await provider.on('block', number => heads.push(number))
    const wallet = new ethers.Wallet(`0x${'11'.repeat(32)}`, provider)
    const sent = await wallet.sendTransaction({ to: account.address, value: 5n })
    node.mineAll()
    const receipt = await sent.wait()
    expect(receipt).toMatchObject({ status: 1, blockNumber: 1, hash: sent.hash })
    expect(await provider.getLogs({ address: token, fromBlock: 0 })).toHaveLength(1)
    expect((await provider.getBlock(1, true))?.prefetchedTransactions[0]?.hash).toBe(sent.hash)
    await expect.poll(() => heads).toContain(1)
    await expect(provider.call({ to: token })).rejects.toThrow('execution reverted')
    await provider.destroy()
  })
})

describe('garbage', () => {
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
        const { status, text } = await post(value)
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
    const { socket, received, send } = await openSocket()
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
          const socket = connect(server.address().port, '127.0.0.1')
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
    expect((await ask('eth_chainId')).result).toBe('0x5')
  })
})
