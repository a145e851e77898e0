import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { zeroAddress } from '../../src/base/primitives/hashes.js'
import { advance, complianceGenesis } from '../../src/io/execution/compliance-chain.js'
import { createEmbeddedExecution, type QueryBounds } from '../../src/io/execution/embedded/embedded-execution.js'
import type { ExecutionClient } from '../../src/io/execution/execution-client.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'

const genesis = complianceGenesis({})
const height = 64
let dataDir: string

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'log-flood-'))
  await using opened = await open()
  for (let number = 1; number <= height; number++) await advance(opened.client)
})
afterAll(() => rm(dataDir, { recursive: true }))

async function open(bounds: Partial<QueryBounds> = {}) {
  const client = await createEmbeddedExecution({ dataDir, genesis, logger: silentLogger, bounds })
  return { client, [Symbol.asyncDispose]: () => client.close() }
}

const allLogs = (client: ExecutionClient) => client.request('eth_getLogs', [{ fromBlock: 'earliest' }])

describe('log queries over the whole chain', () => {
  it("do not hold up the node's own reads, sixteen at once", async () => {
    await using opened = await open()
    const { client } = opened
    const answered: string[] = []
    const note = (what: string) => () => answered.push(what)
    await client.accounts([zeroAddress])
    const logs = Array.from({ length: 16 }, () => allLogs(client).then(note('logs')))
    const reads = [client.accounts([zeroAddress]).then(note('accounts')), client.blockAt(height).then(note('block'))]
    await Promise.all([...logs, ...reads])
    expect(answered.slice(-1)).toEqual(['logs'])
  })

  it('run one at a time in the order they came, and are refused beyond the bound of those that wait', async () => {
    await using opened = await open({ maxWaitingLongQueries: 2 })
    const answered: number[] = []
    const queries = [0, 1, 2, 3].map(async number => {
      await allLogs(opened.client)
      answered.push(number)
    })
    await expect(queries[3]).rejects.toMatchObject({
      rpc: { code: -32005, message: 'too many concurrent long queries' },
    })
    await Promise.all(queries.slice(0, 3))
    expect(answered).toEqual([0, 1, 2])
  })

  it('leave the receipts of whole blocks their place in the line', async () => {
    await using opened = await open({ maxWaitingLongQueries: 0 })
    const { client } = opened
    await expect(client.request('eth_getBlockReceipts', ['latest'])).rejects.toMatchObject({
      rpc: { message: 'too many concurrent long queries' },
    })
    expect(await client.request('eth_blockNumber', [])).toBe(`0x${height.toString(16)}`)
  })

  it('come as text, of a bounded length', async () => {
    await using opened = await open()
    const asText = await opened.client.requestText('eth_getBlockReceipts', ['latest'])
    expect(JSON.parse(asText)).toEqual(await opened.client.request('eth_getBlockReceipts', ['latest']))
    await using narrow = await open({ maxAnswerLength: asText.length - 1 })
    await expect(narrow.client.requestText('eth_getBlockReceipts', ['latest'])).rejects.toMatchObject({
      rpc: { code: -32005, message: `the answer has more than ${asText.length - 1} characters` },
    })
  })

  it('end by themselves when their time is up, and keep their thread', async () => {
    await using opened = await open({ timeoutMs: 0 })
    await opened.client.accounts([])
    let started = 0
    const count = () => started++
    process.on('worker', count)
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => allLogs(opened.client)))
    process.off('worker', count)
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        reason: { rpc: { code: -32005, message: 'query timeout exceeded (timeout = 0s)' } },
      })
    expect(started).toBe(1)
  })
})
