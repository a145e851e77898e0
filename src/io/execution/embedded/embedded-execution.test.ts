import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Hex } from '../../../base/primitives/bytes.js'
import type { Address } from '../../../base/primitives/hashes.js'
import { MemoryStore } from '../../storage/memory-store.js'
import { silentLogger } from '../../telemetry/logger.js'
import { complianceGenesis, type SystemContracts } from '../compliance-chain.js'
import type { ExecutionClient } from '../execution-client.js'
import { type ComplianceTarget, executionChecks } from '../execution-compliance.js'
import type { Genesis } from '../genesis.js'
import { createEmbeddedExecution } from './embedded-execution.js'
import { createInProcessExecution } from './in-process-execution.js'

const canonical: Record<string, { address: Address; code: Hex }> = JSON.parse(
  await readFile('contracts/artifacts/canonical.json', 'utf8'),
)
const systemContracts: SystemContracts = Object.fromEntries(
  Object.values(canonical).map(({ address, code }) => [address.toLowerCase(), { balance: 0n, nonce: 1, code }]),
)

describe('the embedded client on threads', () => {
  let directory: string
  let opened: Map<ExecutionClient, { dataDir: string; genesis: Genesis }>
  const open = async (dataDir: string, genesis: Genesis) => {
    const client = await createEmbeddedExecution({ dataDir, genesis, logger: silentLogger })
    opened.set(client, { dataDir, genesis })
    return client
  }
  const target: ComplianceTarget = {
    open: genesis => open(join(directory, String(opened.size)), genesis),
    async reopen(client) {
      await client.close()
      const { dataDir, genesis } = opened.get(client)!
      return open(dataDir, genesis)
    },
  }
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'execution-'))
    opened = new Map()
  })
  afterEach(() => rm(directory, { recursive: true }))
  for (const { name, run } of executionChecks) it(name, () => run(target, systemContracts))

  it.each([
    ['eth_getLogs', [{}]],
    ['eth_getBlockReceipts', ['latest']],
    ['eth_feeHistory', ['0xb', 'latest', [50]]],
  ])('queries that may be long never hold up the others: %s', async (method, params) => {
    const client = await createEmbeddedExecution({
      dataDir: directory,
      genesis: complianceGenesis(systemContracts),
      logger: silentLogger,
      bounds: { maxWaitingLongQueries: 0 },
    })
    await expect(client.request(method, params)).rejects.toMatchObject({
      rpc: { message: 'too many concurrent long queries' },
    })
    expect(await client.request('eth_blockNumber', [])).toBe('0x0')
    for (const few of [10, '0xa', '5'])
      expect(await client.request('eth_feeHistory', [few, 'latest', [50]])).toMatchObject({ oldestBlock: '0x0' })
    await client.close()
  })
})

describe('the embedded client in process', () => {
  const stores = new Map<ExecutionClient, { store: MemoryStore; genesis: Genesis }>()
  const open = async (store: MemoryStore, genesis: Genesis) => {
    const client = await createInProcessExecution({ store, genesis })
    stores.set(client, { store, genesis })
    return client
  }
  const target: ComplianceTarget = {
    open: genesis => open(new MemoryStore(), genesis),
    async reopen(client) {
      await client.close()
      const { store, genesis } = stores.get(client)!
      store.reopen()
      return open(store, genesis)
    },
  }
  for (const { name, run } of executionChecks) it(name, () => run(target, systemContracts))
})
