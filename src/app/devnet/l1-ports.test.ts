import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, createWalletClient, encodeFunctionData, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aggregateSignatures, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { type Address, type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import {
  type BatchHeader,
  batchHash,
  batchVersion,
  genesisBatchHeader,
  hashOfBlobHashes,
} from '../../base/protocol/batch-header.js'
import { nextRollingHash } from '../../base/protocol/l1-message.js'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import { makeSequencerSet, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { createInlineKzg } from '../../io/kzg/inline-kzg.js'
import { messageQueueAbi } from '../../io/l1/contract-abis.js'
import type { BlobSidecar, CommitBatchArguments, L1Reader, L1Submitter } from '../../io/l1/l1-client.js'
import { MemoryL1 } from '../../io/l1/memory-l1.js'
import { createViemL1Reader } from '../../io/l1/viem-l1-reader.js'
import { createViemL1Submitter } from '../../io/l1/viem-l1-submitter.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { systemClock } from '../../io/time/system-clock.js'
import { type Anvil, startAnvil } from './anvil.js'
import { type Deployment, deployContracts, devnetStake } from './deploy-contracts.js'
import {
  devnetDeployer,
  devnetGenesisFunds,
  devnetSequencer,
  devnetServiceBalance,
  devnetUsers,
} from './devnet-accounts.js'

const kzg = createInlineKzg()
const size = 4
const sequencers = Array.from({ length: size }, (_, i) => devnetSequencer(i))
const feeRecipientOf = (i: number) => sequencers[i]!.relayer.address
const hashOf = (byte: string): Hash32 => `0x${byte.repeat(32)}`
const genesis = genesisBatchHeader({ blockHash: hashOf('aa'), stateRoot: hashOf('bb') })
const [user] = devnetUsers() as [ReturnType<typeof devnetUsers>[number]]
const oneEther = 10n ** 18n
const elected: SequencerSet = makeSequencerSet(
  1,
  sequencers.map(({ operator, submitter, consensusKey }, i) => ({
    operator: operator.address,
    submitter: submitter.address,
    feeRecipient: feeRecipientOf(i),
    power: devnetStake / 10n ** 9n,
    publicKey: parseBlsPublicKey(consensusKey.publicKey())!,
  })),
)

/** An L1 with the contracts and four elected sequencers, whatever it is made of. */
interface L1UnderTest {
  readonly domain: SigningDomain
  readonly reader: L1Reader
  submitter(member: number): L1Submitter
  deposit(to: Address, amount: bigint): Promise<void>
  /** Lets this much L1 time pass. */
  pass(seconds: number): Promise<void>
  stop(): Promise<void>
}

async function onAnvil(): Promise<L1UnderTest> {
  const { anvil, deployment, directory } = await deployedAnvil()
  const { rpcUrl } = anvil
  const client = createClient({ transport: http(rpcUrl) })
  const request = (method: string, params: unknown[] = []) => client.request({ method, params } as never)
  return {
    domain: deployment.domain,
    reader: readerOf(anvil, deployment),
    submitter: member =>
      createViemL1Submitter({
        config: {
          rpcUrl,
          chainId: 31_337,
          rollup: deployment.contracts.rollup,
          privateKey: sequencers[member]!.submitter.privateKey,
          pollMs: 20,
        },
        ports: { clock: systemClock, logger: silentLogger },
      }),
    deposit: async (to, amount) => {
      const hash = await createWalletClient({
        account: privateKeyToAccount(user.privateKey),
        transport: http(rpcUrl),
      }).sendTransaction({
        chain: null,
        to: deployment.contracts.messageQueue,
        value: amount,
        data: encodeFunctionData({ abi: messageQueueAbi, functionName: 'depositETH', args: [to] }),
      })
      await request('evm_mine')
      expect(await request('eth_getTransactionReceipt', [hash])).toMatchObject({ status: '0x1' })
    },
    pass: async seconds => {
      await request('evm_increaseTime', [seconds])
      await request('evm_mine')
    },
    stop: async () => {
      await anvil.stop()
      await rm(directory, { recursive: true })
    },
  }
}

async function deployedAnvil(): Promise<{ anvil: Anvil; deployment: Deployment; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'morphism-l1-'))
  const anvil = await startAnvil({ port: 0, chainId: 31_337, blockTimeSec: 1, dataDir: directory })
  const deployment = await deployContracts({
    rpcUrl: anvil.rpcUrl,
    deployerKey: devnetDeployer().privateKey,
    parameters: devnetParameters,
    genesis,
    l2GenesisFunds: devnetGenesisFunds,
    sequencers: sequencers.map(({ operator, submitter, consensusKey }, i) => ({
      operatorKey: operator.privateKey,
      submitter: submitter.address,
      feeRecipient: feeRecipientOf(i),
      consensusKey,
    })),
    balances: sequencers
      .flatMap(({ operator, submitter }) => [operator, submitter])
      .map(({ address }) => ({ address, balance: devnetServiceBalance })),
  })
  return { anvil, deployment, directory }
}

function readerOf(anvil: Anvil, { contracts }: Deployment): L1Reader {
  return createViemL1Reader({
    config: { rpcUrl: anvil.rpcUrl, contracts, retries: 0 },
    ports: { kzg },
  })
}

async function inMemory(): Promise<L1UnderTest> {
  const domain: SigningDomain = { l1ChainId: 31_337, rollup: user.address }
  const l1 = new MemoryL1({
    ...devnetParameters,
    domain,
    sets: [elected],
    genesis,
    startSec: Math.floor(Date.now() / 1_000),
    blockSec: 1,
    finalityDepth: 8,
  })
  l1.automine = true
  return {
    domain,
    reader: l1.reader(),
    submitter: member => l1.submitter(sequencers[member]!.submitter.address),
    deposit: async (to, amount) => void l1.deposit({ sender: user.address, to, amount }),
    pass: async seconds => void l1.mine({ timestamp: l1.head.timestamp + seconds }),
    stop: async () => {},
  }
}

const blob = new Uint8Array(131_072).map((_, i) => (i % 32 === 0 ? 0 : i * 7))
const sidecar: BlobSidecar = { blob, ...(await kzg.commitment(blob)), cellProofs: await kzg.cellProofs(blob) }

describe.each([
  { name: 'anvil', start: onAnvil },
  { name: 'memory', start: inMemory },
])('L1 ports on $name', ({ start }) => {
  let l1: L1UnderTest
  beforeAll(async () => {
    l1 = await start()
  })
  afterAll(() => l1.stop())

  const sign = (header: BatchHeader, signers: readonly number[], change: Partial<CommitBatchArguments> = {}) => {
    const digest = attestationDigest(l1.domain, { batchIndex: header.batchIndex, batchHash: batchHash(header) })
    const signature = aggregateSignatures(signers.map(i => sequencers[i]!.consensusKey.sign(digest)))
    const absent = elected.members
      .filter(member => !signers.includes(member.index))
      .reduce((bits, { index }) => bits | (1n << BigInt(index)), 0n)
    return { header, absent, signature, blobs: [sidecar], ...change }
  }
  const nextHeader = async (parent: BatchHeader, change: Partial<BatchHeader> = {}): Promise<BatchHeader> => ({
    version: batchVersion,
    batchIndex: parent.batchIndex + 1,
    parentBatchHash: batchHash(parent),
    setId: 1,
    firstBlock: parent.lastBlock + 1,
    lastBlock: parent.lastBlock + 10,
    lastBlockHash: hashOf('cc'),
    postStateRoot: hashOf('dd'),
    withdrawalRoot: zeroHash,
    messagesConsumed: 0,
    messagesRollingHash: zeroHash,
    timestamp: (await l1.reader.head()).timestamp,
    blobHashesHash: hashOfBlobHashes([sidecar.versionedHash]),
    ...change,
  })
  const all = [0, 1, 2, 3]
  let first: CommitBatchArguments

  test('blocks form a chain, and one that does not exist is null', async () => {
    await l1.pass(1)
    const head = await l1.reader.head()
    const parent = await l1.reader.block(head.number - 1)
    expect(head.parentHash).toBe(parent!.hash)
    expect(await l1.reader.block(head.number)).toEqual(head)
    expect(await l1.reader.block(head.number + 1_000)).toBeNull()
    expect((await l1.reader.finalized()).number).toBeLessThanOrEqual(head.number)
  })

  test('the elected set is read with its keys, an unknown one is null', async () => {
    const set = await l1.reader.sequencerSet(1)
    expect(set?.totalPower).toBe(elected.totalPower)
    expect(set?.members.map(({ publicKey, ...rest }) => ({ ...rest, key: publicKey.bytes }))).toEqual(
      elected.members.map(({ publicKey, ...rest }) => ({ ...rest, key: publicKey.bytes })),
    )
    expect(await l1.reader.sequencerSet(99)).toBeNull()
  })

  test('deposits are events in order, with the rolling hash that L2 computes', async () => {
    await l1.deposit(feeRecipientOf(0), oneEther)
    await l1.deposit(feeRecipientOf(1), 2n * oneEther)
    const to = (await l1.reader.head()).number
    const events = (await l1.reader.events({ from: 0, to })).filter(event => event.type === 'message')
    expect(events.map(({ message }) => [message.index, message.to, message.amount])).toEqual([
      [0, feeRecipientOf(0), oneEther],
      [1, feeRecipientOf(1), 2n * oneEther],
    ])
    const firstHash = nextRollingHash(zeroHash, events[0]!.message)
    expect(events[0]!.rollingHash).toBe(firstHash)
    expect(events[1]!.rollingHash).toBe(nextRollingHash(firstHash, events[1]!.message))
  })

  test('genesis is batch 0, committed and final', async () => {
    expect(await l1.reader.lastCommittedBatch()).toBe(0)
    expect(await l1.reader.lastFinalizedBatch()).toBe(0)
    expect(await l1.reader.committedAt(0)).toBeGreaterThan(0)
    expect(await l1.reader.committedAt(1)).toBeNull()
  })

  test('what is wrong with a batch is refused by name', async () => {
    const holder = l1.submitter(1)
    const good = await nextHeader(genesis)
    const refusalOf = async (args: CommitBatchArguments) => (await holder.wouldCommit(args))?.errorName
    expect(await refusalOf(sign({ ...good, parentBatchHash: zeroHash }, all))).toBe('WrongParent')
    expect(await refusalOf(sign({ ...good, batchIndex: 2 }, all))).toBe('WrongBatchIndex')
    expect(await refusalOf(sign({ ...good, firstBlock: 2 }, all))).toBe('WrongFirstBlock')
    expect(await refusalOf(sign({ ...good, setId: 2 }, all))).toBe('SetNotActive')
    expect(await refusalOf(sign({ ...good, blobHashesHash: zeroHash }, all))).toBe('BlobHashMismatch')
    expect(await refusalOf(sign(good, all, { blobs: [] }))).toBe('NoBlobs')
    expect(await refusalOf(sign({ ...good, messagesConsumed: 3 }, all))).toBe('MessagesNotEnqueued')
    expect(await refusalOf(sign({ ...good, messagesConsumed: 1 }, all))).toBe('WrongRollingHash')
    expect(await refusalOf(sign({ ...good, timestamp: good.timestamp + 600 }, all))).toBe('ForcedInclusionMissed')
    expect(await refusalOf(sign(good, [0, 1]))).toBe('QuorumNotReached')
    expect(await refusalOf(sign(good, all, { absent: 16n }))).toBe('AbsentOutOfRange')
    expect(await refusalOf(sign(good, [0, 1, 2], { absent: 0n }))).toBe('SignatureInvalid')
    expect(await refusalOf({ ...sign(good, all), header: { ...good, lastBlock: 11 } })).toBe('SignatureInvalid')
    expect((await l1.submitter(2).wouldCommit(sign(good, all)))?.errorName).toBe('NotYourTurn')
    expect(await refusalOf(sign(good, all))).toBeUndefined()
  })

  test('the turn-holder commits a batch with three of four signatures; its call and blob are read back', async () => {
    first = sign(await nextHeader(genesis), [0, 1, 3])
    const outcome = await l1.submitter(1).commitBatch(first)
    expect(outcome.status).toBe('success')
    if (outcome.status === 'pending') return
    const { transactionHash, l1BlockNumber } = outcome
    expect(await l1.reader.lastCommittedBatch()).toBe(1)
    expect(await l1.reader.committedAt(1)).toBe((await l1.reader.block(l1BlockNumber))!.timestamp)
    expect(await l1.reader.events({ from: l1BlockNumber, to: l1BlockNumber })).toContainEqual({
      type: 'batch-committed',
      batchIndex: 1,
      batchHash: batchHash(first.header),
      setId: 1,
      absent: 4n,
      transactionHash,
      l1BlockNumber,
    })
    expect(await l1.reader.committedBatch(transactionHash)).toEqual({
      header: first.header,
      absent: 4n,
      signature: first.signature,
      blobVersionedHashes: [sidecar.versionedHash],
    })
    const versionedHashes = [sidecar.versionedHash]
    expect(Buffer.compare((await l1.reader.blobs({ l1BlockNumber, versionedHashes }))[0]!, sidecar.blob)).toBe(0)
    await expect(l1.reader.blobs({ l1BlockNumber: l1BlockNumber - 1, versionedHashes })).rejects.toMatchObject({
      name: 'L1Error',
    })
  })

  test('a transaction that is no commitBatch is null', async () => {
    expect(await l1.reader.committedBatch(hashOf('77'))).toBeNull()
  })

  test('the same batch again is refused, also when it is sent', async () => {
    expect((await l1.submitter(1).wouldCommit(first))?.errorName).toBe('WrongBatchIndex')
    expect((await l1.submitter(1).commitBatch(first)).status).toBe('reverted')
    expect(await l1.reader.lastCommittedBatch()).toBe(1)
  })

  test('a batch is final after the challenge window, not before; anybody may post once the turn is over', async () => {
    const anybody = l1.submitter(3)
    expect((await anybody.wouldFinalize(1))?.errorName).toBe('ChallengeWindowOpen')
    const second = sign(await nextHeader(first.header), all)
    expect((await anybody.wouldCommit(second))?.errorName).toBe('NotYourTurn')
    await l1.pass(devnetParameters.challengeWindowSec)
    expect(await anybody.wouldCommit(second)).toBeNull()
    expect((await anybody.commitBatch(second)).status).toBe('success')
    expect(await anybody.wouldFinalize(1)).toBeNull()
    const outcome = await anybody.finalizeBatch(1)
    expect(outcome.status).toBe('success')
    expect(await l1.reader.lastFinalizedBatch()).toBe(1)
    expect((await anybody.wouldFinalize(1))?.errorName).toBe('AlreadyFinalized')
    expect((await anybody.wouldFinalize(7))?.errorName).toBe('NotCommitted')
    if (outcome.status === 'pending') return
    expect(await l1.reader.events({ from: outcome.l1BlockNumber, to: outcome.l1BlockNumber })).toContainEqual({
      type: 'batch-finalized',
      batchIndex: 1,
      batchHash: batchHash(first.header),
      l1BlockNumber: outcome.l1BlockNumber,
    })
  })
})

test('an anvil that starts again goes on with its chain; damaged state is replaced by the copy or named', async () => {
  const { anvil, deployment, directory } = await deployedAnvil()
  const head = await readerOf(anvil, deployment).head()
  await anvil.stop()
  await expect(readerOf(anvil, deployment).head()).rejects.toMatchObject({ code: 'L1_UNREACHABLE' })

  const config = { port: 0, chainId: 31_337, blockTimeSec: 1, dataDir: directory }
  const again = await startAnvil(config)
  expect(await readerOf(again, deployment).block(head.number)).toEqual(head)
  expect((await readerOf(again, deployment).events({ from: 0, to: head.number })).map(event => event.type)).toEqual([
    'batch-committed',
    'batch-finalized',
  ])
  await expect(startAnvil({ ...config, port: again.port })).rejects.toMatchObject({ code: 'PORT_BUSY' })
  await again.stop()

  await writeFile(join(directory, 'l1-state.json'), '{"block":')
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
