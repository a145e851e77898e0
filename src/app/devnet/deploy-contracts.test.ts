import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import {
  defaultParameters,
  devnetParameters,
  type ProtocolParameters,
} from '../../base/protocol/protocol-parameters.js'
import { type Anvil, startAnvil } from './anvil.js'
import { deployContracts, ringSize } from './deploy-contracts.js'
import { devnetDeployer, devnetSequencer } from './devnet-accounts.js'
import { deploymentOn } from './l1-scene.fixture.js'

test('the ring holds more batches than L1 has blocks in a challenge window', () => {
  expect(ringSize(defaultParameters, 12)).toBe(3n * 14_400n + 64n)
})

describe('a deployment that a contract would refuse', () => {
  let anvil: Anvil
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'morphism-deploy-'))
    anvil = await startAnvil({ port: 0, chainId: 31_337, blockTimeSec: 1, dataDir: directory })
  })
  afterAll(async () => {
    await anvil.stop()
    await rm(directory, { recursive: true })
  })

  it.each<[string, Partial<ProtocolParameters>]>([
    ['WrongParameters', { maxSequencers: 201 }],
    ['WrongParameters', { forcedInclusionWindowSec: 0 }],
    ['TooFewSequencers', { minSequencers: 5 }],
  ])('ends before the first transaction: %s %j', async (reason, change) => {
    const config = { ...deploymentOn(anvil.rpcUrl), parameters: { ...devnetParameters, ...change } }
    await expect(deployContracts(config)).rejects.toMatchObject({
      code: 'DEPLOY_FAILED',
      message: expect.stringContaining(reason),
    })
    await expectNothingSent()
  })

  it('ends before the first transaction: a stake that is no whole number of gwei', async () => {
    const config = deploymentOn(anvil.rpcUrl)
    const sequencers = config.sequencers.map((sequencer, i) =>
      i === 3 ? { ...sequencer, stake: 10n ** 18n + 1n } : sequencer,
    )
    await expect(deployContracts({ ...config, sequencers })).rejects.toMatchObject({
      message: expect.stringContaining('NotWholeGwei'),
    })
    await expectNothingSent()
  })

  async function expectNothingSent(): Promise<void> {
    const client = createClient({ transport: http(anvil.rpcUrl) })
    for (const { address } of [devnetDeployer(), devnetSequencer(0).operator]) {
      const params = [address, 'pending']
      expect(await client.request({ method: 'eth_getTransactionCount', params } as never)).toBe('0x0')
    }
  }
})
