import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Address } from '../../src/base/primitives/hashes.js'
import { complianceGenesis } from '../../src/io/execution/compliance-chain.js'
import { createEmbeddedExecution } from '../../src/io/execution/embedded/embedded-execution.js'
import type { ExecutionClient } from '../../src/io/execution/execution-client.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'
import { FakeNode } from '../../src/services/rpc/fake-node.fixture.js'
import { createRpcServer, type RpcServer } from '../../src/services/rpc/rpc-server.js'

/** Loops until its time is up. */
const looper: Address = '0x00000000000000000000000000000000000000aa'
let dataDir: string
let client: ExecutionClient
let server: RpcServer

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'greedy-'))
  const genesis = complianceGenesis({ [looper]: { balance: 0n, code: '0x5b5f56' } })
  client = await createEmbeddedExecution({ dataDir, genesis, logger: silentLogger, bounds: { timeoutMs: 50 } })
  const ports = { ...new FakeNode().ports(), execution: client }
  server = await createRpcServer({ config: { chainId: genesis.chainId, clientVersion: '', port: 0 }, ports })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await client.close()
  await rm(dataDir, { recursive: true })
})

const call = (to: Address, id?: number) => ({
  jsonrpc: '2.0',
  ...(id === undefined ? {} : { id }),
  method: 'eth_call',
  params: [{ to, gas: '0x2faf080' }, 'latest'],
})

/** Each on a connection of its own. */
async function post(body: unknown): Promise<string> {
  const headers = { 'content-type': 'application/json', connection: 'close' }
  const response = await fetch(server.address().url, { method: 'POST', headers, body: JSON.stringify(body) })
  return response.text()
}

it.each([1, undefined])('a call of another waits for few of many long ones with the id %s', async id => {
  const batches = Array.from({ length: 5 }, () => post(Array(30).fill(call(looper, id))))
  let answered = 0
  for (const batch of batches) void batch.then(() => answered++)
  await expect.poll(async () => (await post(call(looper, 1))).includes('aborted')).toBe(true)
  expect(JSON.parse(await post(call('0x0000000000000000000000000000000000000004', 1)))).toMatchObject({ result: '0x' })
  expect(answered).toBe(0)
  await Promise.all(batches)
})
