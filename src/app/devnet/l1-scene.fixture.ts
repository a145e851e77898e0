import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, createWalletClient, encodeFunctionData, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect } from 'vitest'
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
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import { makeSequencerSet, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { createInlineKzg } from '../../io/kzg/inline-kzg.js'
import { messageQueueAbi } from '../../io/l1/contract-abis.js'
import type { BlobSidecar, CommitBatchArguments, L1Reader, L1Submitter } from '../../io/l1/l1-client.js'
import { MemoryL1 } from '../../io/l1/memory-l1.js'
import { createQuorumL1Reader } from '../../io/l1/quorum/quorum-l1-reader.js'
import { createViemL1Reader } from '../../io/l1/reader/viem-l1-reader.js'
import { createViemL1Submitter } from '../../io/l1/submitter/viem-l1-submitter.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { systemClock } from '../../io/time/system-clock.js'
import { type Anvil, startAnvil } from './anvil.js'
import { type DeployContractsConfig, type Deployment, deployContracts, devnetStake } from './deploy-contracts.js'
import {
  devnetDeployer,
  devnetGenesisFunds,
  devnetSequencer,
  devnetServiceBalance,
  devnetUsers,
} from './devnet-accounts.js'
import { startLiar } from './lying-endpoint.fixture.js'

const kzg = createInlineKzg()
const size = 4
export const sequencers = Array.from({ length: size }, (_, i) => devnetSequencer(i))
export const feeRecipientOf = (i: number) => sequencers[i]!.relayer.address
export const hashOf = (byte: string): Hash32 => `0x${byte.repeat(32)}`
export const genesis = genesisBatchHeader({ blockHash: hashOf('aa'), stateRoot: hashOf('bb') })
const [user] = devnetUsers() as [ReturnType<typeof devnetUsers>[number]]
export const oneEther = 10n ** 18n
export const elected: SequencerSet = makeSequencerSet(
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
export interface L1UnderTest {
  readonly domain: SigningDomain
  readonly reader: L1Reader
  submitter(member: number): L1Submitter
  deposit(to: Address, amount: bigint): Promise<void>
  /** Lets this much L1 time pass. */
  pass(seconds: number): Promise<void>
  stop(): Promise<void>
}

/** As `onAnvil`, its submitters with three endpoints, the first of which lies. */
export async function behindLiar(): Promise<L1UnderTest> {
  let liar = { url: '', stop: () => {} }
  const l1 = await onAnvil(({ rpcUrl }) => [liar.url, rpcUrl, rpcUrl])
  liar = await startLiar(l1.rpcUrl)
  return {
    ...l1,
    stop: async () => {
      liar.stop()
      await l1.stop()
    },
  }
}

/** @param rpcUrls of the submitters */
export async function onAnvil(
  rpcUrls: (anvil: Anvil) => readonly string[] = ({ rpcUrl }) => [rpcUrl],
): Promise<L1UnderTest & { readonly rpcUrl: string; reorg(depth: number): Promise<void> }> {
  const { anvil, deployment, directory } = await deployedAnvil()
  const { rpcUrl } = anvil
  const client = createClient({ transport: http(rpcUrl) })
  const request = (method: string, params: unknown[] = []) => client.request({ method, params } as never)
  return {
    rpcUrl,
    domain: deployment.domain,
    reader: readerOf(anvil, deployment),
    submitter: member => submitterOf(rpcUrls(anvil), deployment, member),
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
    reorg: async depth => void (await request('anvil_reorg', [depth, []])),
    stop: async () => {
      await anvil.stop()
      await rm(directory, { recursive: true })
    },
  }
}

export async function deployedAnvil(): Promise<{ anvil: Anvil; deployment: Deployment; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'morphism-l1-'))
  const anvil = await startAnvil({ port: 0, chainId: 31_337, blockTimeSec: 1, dataDir: directory })
  return { anvil, deployment: await deployContracts(deploymentOn(anvil.rpcUrl)), directory }
}

/** The contracts and four sequencers, on an anvil. */
export function deploymentOn(rpcUrl: string): DeployContractsConfig {
  return {
    rpcUrl,
    deployerKey: devnetDeployer().privateKey,
    parameters: devnetParameters,
    l1BlockTimeSec: 1,
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
  }
}

export function readerOf(anvil: Anvil, { contracts }: Deployment): L1Reader {
  return createViemL1Reader({
    config: { rpcUrl: anvil.rpcUrl, contracts, retries: 0 },
    ports: { kzg },
  })
}

export function submitterOf(rpcUrls: readonly string[], { contracts }: Deployment, member: number): L1Submitter {
  const { privateKey } = sequencers[member]!.submitter
  return createViemL1Submitter({
    config: { rpcUrls, chainId: 31_337, rollup: contracts.rollup, privateKey, pollMs: 20 },
    ports: { clock: systemClock, logger: silentLogger },
  })
}

export async function inMemory(): Promise<L1UnderTest> {
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

/** Three endpoints of one L1 in memory, read by quorum. */
export async function byQuorum(): Promise<L1UnderTest> {
  const l1 = await inMemory()
  const endpoints = [0, 1, 2].map(i => ({ url: `http://127.0.0.1:${i + 1}`, reader: l1.reader }))
  const ports = { endpoints, clock: systemClock, logger: silentLogger, metrics: silentMetrics }
  return { ...l1, reader: createQuorumL1Reader({ config: {}, ports }) }
}

export const blob = new Uint8Array(131_072).map((_, i) => (i % 32 === 0 ? 0 : i * 7))
export const sidecar: BlobSidecar = { blob, ...(await kzg.commitment(blob)), cellProofs: await kzg.cellProofs(blob) }

export const all = [0, 1, 2, 3]

export function signBatch(
  domain: SigningDomain,
  header: BatchHeader,
  signers: readonly number[],
): CommitBatchArguments {
  const digest = attestationDigest(domain, { batchIndex: header.batchIndex, batchHash: batchHash(header) })
  const signature = aggregateSignatures(signers.map(i => sequencers[i]!.consensusKey.sign(digest)))
  const absent = elected.members
    .filter(member => !signers.includes(member.index))
    .reduce((bits, { index }) => bits | (1n << BigInt(index)), 0n)
  return { header, absent, signature, blobs: [sidecar] }
}

export async function headerAfter(parent: BatchHeader, reader: L1Reader): Promise<BatchHeader> {
  return {
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
    timestamp: (await reader.head()).timestamp,
    blobHashesHash: hashOfBlobHashes([sidecar.versionedHash]),
  }
}

export async function firstBatch(domain: SigningDomain, reader: L1Reader): Promise<CommitBatchArguments> {
  return signBatch(domain, await headerAfter(genesis, reader), all)
}
