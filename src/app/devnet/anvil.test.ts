import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { systemClock } from '../../io/time/system-clock.js'
import { createL1Follower } from '../../services/l1-follower/l1-follower.js'
import { startAnvil } from './anvil.js'
import { deployContracts } from './deploy-contracts.js'
import { devnetDeployer } from './devnet-accounts.js'

import {
  blob,
  deployedAnvil,
  feeRecipientOf,
  firstBatch,
  genesis,
  onAnvil,
  oneEther,
  readerOf,
  sequencers,
  sidecar,
  submitterOf,
} from './l1-scene.fixture.js'

test('an anvil that starts again goes on with its chain and still serves the blobs', async () => {
  const { anvil, deployment, directory } = await deployedAnvil()
  const before = readerOf(anvil, deployment)
  const outcome = await submitterOf([anvil.rpcUrl], deployment, 1).commitBatch(
    await firstBatch(deployment.domain, before),
  )
  expect(outcome.status).toBe('success')
  if (outcome.status === 'pending') return
  const { transactionHash, l1BlockNumber } = outcome
  const head = await before.head()
  const committed = await before.committedBatch(transactionHash)
  await anvil.stop()
  await expect(before.head()).rejects.toMatchObject({ code: 'L1_UNREACHABLE' })

  const config = { port: 0, chainId: 31_337, blockTimeSec: 1, dataDir: directory }
  const again = await startAnvil(config)
  const after = readerOf(again, deployment)
  expect(await after.block(head.number)).toEqual(head)
  expect(await after.lastCommittedBatch()).toBe(1)
  expect((await after.events({ from: 0, to: head.number })).map(event => event.type)).toEqual([
    'batch-committed',
    'batch-finalized',
    'batch-committed',
  ])
  expect(await after.committedBatch(transactionHash)).toEqual(committed)
  const [kept] = await after.blobs({ l1BlockNumber, versionedHashes: [sidecar.versionedHash] })
  expect(Buffer.compare(kept!, blob)).toBe(0)

  await expect(startAnvil({ ...config, port: again.port })).rejects.toMatchObject({ code: 'PORT_BUSY' })
  await again.stop()
  await rm(directory, { recursive: true })
})

test('a follower forgets a deposit that anvil reorganised away', async () => {
  const l1 = await onAnvil()
  const { clock, logger, metrics } = { clock: systemClock, logger: silentLogger, metrics: silentMetrics }
  await using follower = createL1Follower({
    config: { parameters: devnetParameters, startBlock: 0, pollMs: 50 },
    ports: { reader: l1.reader, store: new MemoryStore(), clock, logger, metrics },
  })
  await l1.deposit(feeRecipientOf(0), oneEther)
  await follower.refresh()
  const deposits = () => follower.messages({ from: 0, upToL1Block: follower.head()!.number, limit: 10 })
  expect(deposits().map(message => message.amount)).toEqual([oneEther])
  expect(follower.lastCommitted()).toBe(0)
  await l1.reorg(2)
  await l1.pass(1)
  await follower.refresh()
  expect(deposits()).toEqual([])
  expect(follower.rollingHashAt(1)).toBeNull()
  await l1.stop()
})

test('damaged L1 state is replaced by its copy, or named when there is none', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'morphism-l1-'))
  const config = { port: 0, chainId: 31_337, blockTimeSec: 1, dataDir: directory }
  const state = join(directory, 'l1-state.json')
  await (await startAnvil(config)).stop()
  await rename(state, `${state}.copy`)
  await writeFile(state, '{"block":')
  await (await startAnvil(config)).stop()
  await writeFile(state, '{"block":')
  await expect(startAnvil(config)).rejects.toMatchObject({ code: 'ANVIL_STATE_BROKEN' })
  await rm(directory, { recursive: true })
})

test('a missing anvil is named', async () => {
  const before = process.env.ANVIL
  process.env.ANVIL = '/nowhere/anvil'
  try {
    await expect(
      startAnvil({ port: 0, chainId: 1, blockTimeSec: 1, dataDir: join(tmpdir(), 'never-made') }),
    ).rejects.toMatchObject({ code: 'ANVIL_MISSING' })
  } finally {
    if (before === undefined) delete process.env.ANVIL
    else process.env.ANVIL = before
  }
})

test('a sequencer without the smallest stake stops the deployment with the name of the error', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'morphism-l1-'))
  await using anvil = await startAnvil({ port: 0, chainId: 31_337, blockTimeSec: 1, dataDir: directory })
  const { operator, submitter, consensusKey } = sequencers[0]!
  await expect(
    deployContracts({
      rpcUrl: anvil.rpcUrl,
      deployerKey: devnetDeployer().privateKey,
      parameters: devnetParameters,
      l1BlockTimeSec: 1,
      genesis,
      l2GenesisFunds: 0n,
      sequencers: [
        {
          operatorKey: operator.privateKey,
          submitter: submitter.address,
          feeRecipient: submitter.address,
          consensusKey,
          stake: 10n ** 9n,
        },
      ],
      balances: [{ address: operator.address, balance: oneEther }],
    }),
  ).rejects.toMatchObject({ code: 'DEPLOY_FAILED', data: { reason: expect.stringContaining('StakeTooLow') } })
  await anvil.stop()
  await rm(directory, { recursive: true })
})
