import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Address } from '../../../base/primitives/hashes.js'
import { MemoryStore } from '../../storage/memory-store.js'
import { silentLogger } from '../../telemetry/logger.js'
import { advance, complianceGenesis, sign } from '../compliance-chain.js'
import type { ExecutionClient } from '../execution-client.js'
import { rpcErrorCodes } from '../execution-rpc-error.js'
import { createEmbeddedExecution, type QueryBounds } from './embedded-execution.js'
import { createInProcessExecution } from './in-process-execution.js'
import { createQueries } from './queries-of-store.js'

const looper: Address = '0x00000000000000000000000000000000000000aa'
const genesis = complianceGenesis({ [looper]: { balance: 0n, code: '0x5b5f56' } })
const addBlock = (client: ExecutionClient) =>
  advance(client, { transactions: [0, 1, 2, 3].map(nonce => sign({ nonce, value: 1n })) })

describe('a state diff in the line of calls', () => {
  let close = async () => {}
  const open = async (bounds: Partial<QueryBounds> = {}) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'execution-'))
    const client = await createEmbeddedExecution({ dataDir, genesis, logger: silentLogger, bounds })
    close = async () => {
      await client.close()
      await rm(dataDir, { recursive: true })
    }
    const { hash } = await addBlock(client)
    const call = (to?: Address, caller?: string) =>
      client.request('eth_call', [to ? { to, gas: '0x2faf080' } : {}, 'latest'], { caller })
    await call()
    return { call, diff: () => client.stateDiffOf(hash) }
  }
  afterEach(() => close())

  it('waits for the calls before it', async () => {
    const { call, diff } = await open({ timeoutMs: 500 })
    const order: string[] = []
    const note = (name: string) => () => order.push(name)
    const calls = [call(looper).catch(note('loop')), call().then(note('call'))]
    await Promise.all([...calls, diff().then(note('diff'))])
    expect(order).toEqual(['loop', 'call', 'diff'])
  })

  it('of one caller, however many are asked for, delay a call of another by one', async () => {
    const { call, diff } = await open()
    let done = 0
    const loops = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 10; i++) {
        await diff()
        done++
      }
    })
    await expect.poll(() => done, { interval: 1 }).toBeGreaterThan(4)
    const before = done
    await call(undefined, 'another')
    expect(done - before).toBeLessThanOrEqual(2)
    await Promise.all(loops)
  })

  it('is refused when too many wait', async () => {
    const { call, diff } = await open({ timeoutMs: 500, maxWaitingCalls: 1 })
    const calls = [call(looper).catch(() => {}), call()]
    await expect(diff()).rejects.toMatchObject({ rpc: { code: rpcErrorCodes.limitExceeded } })
    await Promise.all(calls)
    expect(await diff()).toMatchObject({ height: 1 })
  })
})

it('a state diff ends when its time is over, also between transfers', async () => {
  const store = new MemoryStore()
  const client = await createInProcessExecution({ store, genesis })
  const { hash } = await addBlock(client)
  let looks = 0
  const check = () => {
    if (looks++ === 2) throw new Error('time is over')
  }
  const { stateDiffOf } = createQueries({ store, chainId: genesis.chainId, timer: { check } })
  await expect(stateDiffOf(hash)).rejects.toThrow('time is over')
  expect(await stateDiffOf(hash)).toMatchObject({ blockHash: hash })
  await client.close()
})
