import { Socket } from 'node:net'
import { ethers } from 'ethers'
import { createPublicClient, createWalletClient, defineChain, type Hex, http as httpTransport, webSocket } from 'viem'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import { duplicateVote, encodeEvidence, evidenceHash } from '../../base/protocol/evidence.js'
import { prevote } from '../../base/protocol/vote.js'
import { RpcArguments } from '../../io/execution/embedded/queries/rpc-argument.js'
import { EventLoopTurns } from './event-loop-turns.fixture.js'
import { account, blsGenerator, chainId, token } from './fake-node.fixture.js'
import type { RpcConfig } from './rpc-config.js'
import { type Json, message, RunningServer } from './running-server.fixture.js'

const gwei = 1_000_000_000n
let server: RunningServer
const start = async (config?: Partial<RpcConfig>): Promise<void> => {
  await server?.[Symbol.asyncDispose]()
  server = await RunningServer.start(config)
}

beforeEach(() => start())
afterEach(() => server[Symbol.asyncDispose]())

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

describe('methods', () => {
  it('tells about the node', async () => {
    expect((await server.ask('web3_clientVersion')).result).toBe('morphism/test')
    expect((await server.ask('web3_sha3', '0x68656c6c6f')).result).toBe(keccak256Hex(new TextEncoder().encode('hello')))
    expect((await server.ask('net_version')).result).toBe('5')
    expect((await server.ask('net_peerCount')).result).toBe('0x3')
    expect((await server.ask('eth_syncing')).result).toBe(false)
    server.node.syncing = { startingBlock: 1, currentBlock: 2, highestBlock: 30 }
    expect((await server.ask('eth_syncing')).result).toEqual({
      startingBlock: '0x1',
      currentBlock: '0x2',
      highestBlock: '0x1e',
    })
    expect((await server.ask('eth_sendTransaction', {})).error).toEqual({ code: -32000, message: 'unknown account' })
    expect((await server.ask('eth_call', { to: token })).error).toEqual({
      code: 3,
      message: 'execution reverted',
      data: '0x',
    })
  })

  it('hashes no more for a caller than a transaction may have', async () => {
    expect((await server.ask('web3_sha3', bytesToHex(new Uint8Array(131_072)))).result).toMatch(/^0x[0-9a-f]{64}$/)
    expect((await server.ask('web3_sha3', bytesToHex(new Uint8Array(131_073)))).error).toEqual({
      code: -32005,
      message: 'too much to hash: 131072 bytes at most',
    })
  })

  it('hashes for one call of a batch at a time', async () => {
    const turns = new EventLoopTurns()
    const hash = message('web3_sha3', [bytesToHex(new Uint8Array(131_072))])
    const body = JSON.stringify(Array(18).fill(hash))
    await server.ask('eth_chainId')
    const seen: number[] = []
    vi.spyOn(RpcArguments.prototype, 'end').mockImplementation(() => seen.push(turns.count))
    expect(JSON.parse((await server.post(body)).text)).toHaveLength(18)
    turns.end()
    vi.restoreAllMocks()
    expect(new Set(seen).size).toBe(18)
  })

  it('a waiting transaction is seen by hash, in txpool_, and no longer once mined', async () => {
    const raw = await sign(0)
    const hash = (await server.ask('eth_sendRawTransaction', raw)).result as Hex
    expect((await server.ask('eth_sendRawTransaction', raw)).error).toEqual({ code: -32000, message: 'already known' })
    expect((await server.ask('eth_getTransactionByHash', hash)).result).toMatchObject({
      hash,
      blockHash: null,
      blockNumber: null,
      from: account.address.toLowerCase(),
    })
    expect((await server.ask('eth_getRawTransactionByHash', hash)).result).toBe(raw)
    expect((await server.ask('txpool_status')).result).toEqual({ pending: '0x1', queued: '0x0' })
    expect((await server.ask('txpool_content')).result).toMatchObject({
      pending: { [account.address]: { 0: { hash } } },
      queued: {},
    })
    expect((await server.ask('txpool_inspect')).result).toEqual({
      pending: { [account.address]: { 0: `${account.address}: 0 wei + 21000 gas × 3000000000 wei` } },
      queued: {},
    })
    server.node.mineAll()
    expect((await server.ask('eth_getTransactionByHash', hash)).result).toMatchObject({ blockNumber: '0x1' })
    expect((await server.ask('eth_sendRawTransaction', '0x')).error?.code).toBe(-32000)
    expect((await server.ask('eth_sendRawTransaction', '0x0')).error?.code).toBe(-32602)
  })

  it('what morphism_ methods ask of the execution client ends when its time is over, and is asked in a caller’s name', async () => {
    await start({ executionTimeoutMs: 20 })
    server.node.morphismGate = new Promise(() => {})
    for (const [method, argument] of [
      ['morphism_getContext', '0x0'],
      ['morphism_stateDiff', zeroHash],
    ] as const)
      expect((await server.ask(method, argument)).error).toEqual({ code: -32002, message: 'request timed out' })
    expect(server.node.morphismAskers).toMatchObject([{ signal: { aborted: true } }, { signal: { aborted: true } }])
    for (const { caller } of server.node.morphismAskers) expect(caller).toBeInstanceOf(Socket)
  })

  it('morphism_ methods write domain values as section 9 says', async () => {
    server.node.mine([])
    const { hash } = server.node.blocks[1]!
    const certificate = {
      height: '0x1',
      round: '0x1',
      blockHash: zeroHash,
      setId: '0x2',
      absent: '0x5',
      signature: bytesToHex(new Uint8Array(96).fill(7)),
    }
    for (const name of ['0x1', 'latest', hash])
      expect((await server.ask('morphism_getCertificate', name)).result).toEqual(certificate)
    expect((await server.ask('morphism_getCertificate', 'earliest')).result).toBeNull()
    expect((await server.ask('morphism_sequencerSet', '0x0')).result).toBeNull()
    expect((await server.ask('morphism_sequencerSet', '0x1')).result).toEqual({
      setId: '0x2',
      activeFrom: '0x1',
      totalPower: '0x9',
      members: [{ index: '0x0', operator: token, publicKey: blsGenerator, power: '0x9', feeRecipient: token }],
    })
    expect((await server.ask('morphism_getContext', 'latest')).result).toMatchObject({
      setId: '0x1',
      l1OriginNumber: '0x1',
      hash: server.node.blocks[1]!.header.parentBeaconBlockRoot,
    })
    expect((await server.ask('morphism_getBatch', 'latest')).result).toMatchObject({
      status: 'committed',
      l1BlockNumber: '0x11',
      header: { version: '0x1', batchIndex: '0x0' },
      certificate: { absent: '0x1' },
    })
    expect((await server.ask('morphism_getBatch', '0x9')).result).toBeNull()
    expect((await server.ask('morphism_getBatch', 'newest')).error?.code).toBe(-32602)
    expect((await server.ask('morphism_nodeStatus')).result).toMatchObject({
      role: 'full',
      height: '0x14',
      protocolVersion: '0x1',
      upgrade: { version: '0x2', activationHeight: '0x64', known: true },
      l1Origin: { number: '0xff', hash: zeroHash },
    })
    expect((await server.ask('morphism_peers')).result).toEqual([
      { id: '12D3KooWSequencer', consensusKey: `0x${'01'.repeat(48)}`, sequencer: `0x${'33'.repeat(20)}` },
      { id: '12D3KooWFull', consensusKey: null, sequencer: null },
    ])
  })

  it('morphism_evidence lists proofs with their encoding, by height and by key', async () => {
    const vote = { height: 9, round: 1, step: prevote, member: 3, signature: new Uint8Array(96).fill(7) }
    const blank = { ...vote, blockHash: zeroHash, extension: new Uint8Array(0) }
    const evidence = duplicateVote({ ...blank, blockHash: `0x${'ab'.repeat(32)}` as const }, blank)
    server.node.evidence = [{ evidence, hash: evidenceHash(evidence), publicKey: new Uint8Array(48).fill(1) }]
    const said = { height: '0x9', round: '0x1', step: 'prevote', signature: bytesToHex(vote.signature) }
    expect((await server.ask('morphism_evidence')).result).toEqual([
      {
        kind: 'duplicate-vote',
        hash: evidenceHash(evidence),
        member: { index: '0x3', publicKey: `0x${'01'.repeat(48)}` },
        first: { ...said, blockHash: zeroHash },
        second: { ...said, blockHash: `0x${'ab'.repeat(32)}` },
        raw: bytesToHex(encodeEvidence(evidence)),
      },
    ])
    const member = `0x${'01'.repeat(48)}`
    await server.ask('morphism_evidence', { fromHeight: '0x5', member })
    expect(server.node.evidenceFilter).toEqual({ fromHeight: 5, publicKey: new Uint8Array(48).fill(1) })
    for (const bad of [{ member: '0x01' }, { height: '0x1' }, { fromHeight: 'latest' }, []])
      expect((await server.ask('morphism_evidence', bad)).error?.code).toBe(-32602)
  })

  it('explains itself with numbers as quantities', async () => {
    expect((await server.ask('morphism_explain')).result).toEqual({
      reason: 'NO_WORK',
      sentences: ['No work.'],
      height: '0x15',
      power: ['0x3'],
      none: null,
    })
    expect((await server.ask('morphism_explain', '0x7')).result).toMatchObject({ height: '0x7' })
    expect((await server.ask('morphism_explain', 'newest')).error?.code).toBe(-32602)
    expect((await server.ask('morphism_stateDiff', zeroHash)).result).toBeNull()
    expect((await server.ask('morphism_stateDiff', `0x${'12'.repeat(32)}`)).result).toMatchObject({
      height: '0x14',
      accounts: [{ address: token, nonce: '0x1', balance: '0x10' }],
    })
    expect((await server.ask('morphism_stateDiff')).error?.code).toBe(-32602)
  })

  it('explains where a transaction is', async () => {
    const hash = (await server.ask('eth_sendRawTransaction', await sign(7))).result
    expect((await server.ask('morphism_explainTransaction', hash)).result).toEqual({
      place: 'queued',
      sentence: 'It waits.',
    })
    server.node.mineAll()
    const sentence = `It is in block ${server.node.blocks.length - 1}.`
    expect((await server.ask('morphism_explainTransaction', hash)).result).toEqual({ place: 'included', sentence })
    expect((await server.ask('morphism_explainTransaction', zeroHash)).result).toBeNull()
    expect((await server.ask('morphism_explainTransaction', '0x12')).error?.code).toBe(-32602)
  })

  it('filters collect between polls and can be taken away', async () => {
    const [blocks, logs, pending] = await Promise.all([
      server.ask('eth_newBlockFilter'),
      server.ask('eth_newFilter', { address: token }),
      server.ask('eth_newPendingTransactionFilter'),
    ]).then(answers => answers.map(answer => answer.result))
    const hash = (await server.ask('eth_sendRawTransaction', await sign(0))).result
    server.node.mineAll()
    expect((await server.ask('eth_getFilterChanges', blocks)).result).toEqual([server.node.blocks[1]!.hash])
    expect((await server.ask('eth_getFilterChanges', pending)).result).toEqual([hash])
    expect((await server.ask('eth_getFilterChanges', logs)).result).toMatchObject([
      { transactionHash: hash, logIndex: '0x0' },
    ])
    expect((await server.ask('eth_getFilterChanges', logs)).result).toEqual([])
    expect((await server.ask('eth_getFilterLogs', logs)).result).toMatchObject([{ transactionHash: hash }])
    expect((await server.ask('eth_uninstallFilter', logs)).result).toBe(true)
    expect((await server.ask('eth_uninstallFilter', logs)).result).toBe(false)
    expect((await server.ask('eth_getFilterChanges', logs)).error).toEqual({
      code: -32000,
      message: 'filter not found',
    })
  })
})

describe('WebSocket', () => {
  it('subscribes to heads, logs, transactions and the end of syncing', async () => {
    const { socket, received, send } = await server.openSocket()
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
    const hash = (await server.ask('eth_sendRawTransaction', await sign(0))).result
    server.node.syncing = { startingBlock: 0, currentBlock: 1, highestBlock: 9 }
    server.node.mineAll()
    await expect.poll(() => received.length).toBe(5)
    const told = new Map(
      received.splice(0).map(({ params }) => [(params as Json).subscription, (params as Json).result]),
    )
    expect(told.get(idOf(1))).toMatchObject({
      number: '0x1',
      hash: server.node.blocks[1]!.hash,
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

  it('bounds the addresses and topics that one connection watches', async () => {
    await start({ maxLogTermsPerConnection: 3 })
    const { socket, received, send } = await server.openSocket()
    const filter = { address: [token, zeroAddress], topics: [] }
    send(message('eth_subscribe', ['logs', filter], 1))
    send(message('eth_subscribe', ['logs', filter], 2))
    send(message('eth_subscribe', ['logs', { topics: [zeroHash] }], 3))
    await expect.poll(() => received.length).toBe(3)
    expect(received.map(({ error }) => error)).toEqual([
      undefined,
      { code: -32005, message: 'too many addresses and topics: a connection may watch 3' },
      undefined,
    ])
    socket.terminate()
  })

  it('bounds the addresses and topics that all connections watch, and has room again when one leaves', async () => {
    await start({ maxLogTerms: 3 })
    const [first, second] = [await server.openSocket(), await server.openSocket()]
    const filter = { address: [token, zeroAddress], topics: [] }
    const subscribe = async ({ received, send }: typeof first, id: number) => {
      const count = received.length
      send(message('eth_subscribe', ['logs', filter], id))
      await expect.poll(() => received.length).toBe(count + 1)
      return received.at(-1)?.error
    }
    expect(await subscribe(first, 1)).toBeUndefined()
    expect(await subscribe(second, 2)).toEqual({
      code: -32005,
      message: 'too many addresses and topics are watched by all connections',
    })
    first.socket.terminate()
    await expect.poll(() => subscribe(second, 3)).toBeUndefined()
    second.socket.terminate()
  })

  it('bounds subscriptions, messages and origins', async () => {
    await start({ maxSubscriptionsPerConnection: 2, maxBodyBytes: 1_000 })
    const { socket, received, send } = await server.openSocket()
    for (let id = 0; id < 3; id++) send(message('eth_subscribe', ['newHeads'], id))
    await expect.poll(() => received.length).toBe(3)
    expect((received[2]!.error as Json).code).toBe(-32005)
    const closed = new Promise<number>(resolve => socket.once('close', resolve))
    socket.send('x'.repeat(2_000))
    expect(await closed).toBe(1009)
    const refused = new WebSocket(server.address.wsUrl, { origin: 'https://evil.example' })
    const error = await new Promise<Error>(resolve => refused.once('error', resolve))
    expect(error.message).toContain('403')
  })

  it('bounds the subscriptions of all connections, and has room again when one is gone', async () => {
    await start({ maxSubscriptions: 2 })
    const [first, second] = [await server.openSocket(), await server.openSocket()]
    const subscribe = async ({ send, received }: typeof first, id: number) => {
      send(message('eth_subscribe', ['newHeads'], id))
      await expect.poll(() => received.find(answer => answer.id === id)).toBeDefined()
      return (received.find(answer => answer.id === id)!.error as Json | undefined)?.code
    }
    expect([await subscribe(first, 1), await subscribe(first, 2), await subscribe(second, 1)]).toEqual([
      undefined,
      undefined,
      -32005,
    ])
    first.socket.terminate()
    let id = 2
    await expect.poll(() => subscribe(second, id++)).toBeUndefined()
    second.socket.terminate()
  })

  it('a subscriber that does not read is disconnected', async () => {
    await start({ maxUnsentBytes: 100_000 })
    const { socket, received, send } = await server.openSocket()
    send(message('eth_subscribe', ['newHeads']))
    await expect.poll(() => received.length).toBe(1)
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.pause()
    for (let i = 0; i < 20_000; i++) {
      server.node.mine([])
      if (i % 100 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    socket.resume()
    await closed
    expect(received.length).toBeLessThan(20_000)
    expect((await server.ask('eth_chainId')).result).toBe('0x5')
  })
})

describe('wallets and libraries', () => {
  const chain = () =>
    defineChain({
      id: chainId,
      name: 'test',
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [server.address.url], webSocket: [server.address.wsUrl] } },
    })

  it('viem sends, waits for the receipt, reads logs and watches', async () => {
    const transport = webSocket(server.address.wsUrl)
    const client = createPublicClient({ chain: chain(), transport })
    const wallet = createWalletClient({ chain: chain(), transport: httpTransport(server.address.url), account })
    const heads: bigint[] = []
    const logs: unknown[] = []
    const stopBlocks = client.watchBlockNumber({ onBlockNumber: number => heads.push(number) })
    const stopLogs = client.watchEvent({ address: token, onLogs: found => logs.push(...found) })
    await expect.poll(async () => (await client.getBlockNumber({ cacheTime: 0 })) === 0n).toBe(true)
    const hash = await wallet.sendTransaction({ to: account.address, value: 5n })
    server.node.mineAll()
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
    const provider = new ethers.WebSocketProvider(server.address.wsUrl, chainId)
    const heads: number[] = []
    await provider.on('block', number => heads.push(number))
    const wallet = new ethers.Wallet(`0x${'11'.repeat(32)}`, provider)
    const sent = await wallet.sendTransaction({ to: account.address, value: 5n })
    server.node.mineAll()
    const receipt = await sent.wait()
    expect(receipt).toMatchObject({ status: 1, blockNumber: 1, hash: sent.hash })
    expect(await provider.getLogs({ address: token, fromBlock: 0 })).toHaveLength(1)
    expect((await provider.getBlock(1, true))?.prefetchedTransactions[0]?.hash).toBe(sent.hash)
    await expect.poll(() => heads).toContain(1)
    await expect(provider.call({ to: token })).rejects.toThrow('execution reverted')
    await provider.destroy()
  })
})
