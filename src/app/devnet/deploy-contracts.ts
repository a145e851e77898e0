import { readFile } from 'node:fs/promises'
import path from 'node:path'
import {
  type Abi,
  type Client,
  concatHex,
  createClient,
  encodeAbiParameters,
  encodeFunctionData,
  getContractAddress,
  type Hex,
  http,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import {
  type BlsSecretKey,
  blsPublicKeyToEip2537,
  blsSignatureToEip2537,
  parseBlsPublicKey,
} from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { L1BlockNumber, SetId, Wei } from '../../base/primitives/quantities.js'
import type { BatchHeader } from '../../base/protocol/batch-header.js'
import { proofOfPossessionDigest } from '../../base/protocol/proof-of-possession.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { stakingAbi } from '../../io/l1/contract-abis.js'
import { refusalOf } from '../../io/l1/contract-refusal.js'
import { packageRoot } from '../package-root.js'
import { DevnetError } from './devnet-error.js'

/** Addresses of the L1 contracts. */
export interface DeployedContracts {
  readonly rollup: Address
  readonly registry: Address
  readonly staking: Address
  readonly messageQueue: Address
}

/** A sequencer of the first set. */
export interface SequencerToRegister {
  /** Key of the operator, who pays the stake; 32 bytes. */
  readonly operatorKey: Hex
  readonly submitter: Address
  readonly feeRecipient: Address
  readonly consensusKey: BlsSecretKey
  /** Whole gwei; `devnetStake` unless told. */
  readonly stake?: Wei
}

export interface DeployContractsConfig {
  readonly rpcUrl: string
  readonly deployerKey: Hex
  readonly parameters: ProtocolParameters
  readonly l1BlockTimeSec: number
  /** Header of batch 0: the L2 genesis. */
  readonly genesis: BatchHeader
  /** In the order that the set gets, when their stakes are equal. */
  readonly sequencers: readonly SequencerToRegister[]
  /** ETH that the L2 genesis gives to accounts: MessageQueue gets as much. */
  readonly l2GenesisFunds: Wei
  /** Accounts to fund on L1, by anvil's means. */
  readonly balances: readonly { readonly address: Address; readonly balance: Wei }[]
}

export interface Deployment {
  readonly contracts: DeployedContracts
  readonly domain: SigningDomain
  readonly setId: SetId
  /** Block of the first contract: followers start here. */
  readonly startBlock: L1BlockNumber
}

const gwei = 10n ** 9n
const oneEther = 10n ** 18n
/** Stake of a sequencer of a devnet. */
export const devnetStake: Wei = 100n * oneEther
const smallestStake: Wei = oneEther
/** Highest gas limit of a transaction since Osaka (EIP-7825). */
const maxTransactionGas = 16_777_216n
const registerGas = 500_000n
const firstSet: SetId = 1

/**
 * Deploys the contracts on anvil, registers the sequencers and elects them: all at once, in one L1 block when they are few.
 * @throws DevnetError DEPLOY_FAILED
 */
export async function deployContracts(config: DeployContractsConfig): Promise<Deployment> {
  const client = createClient({ transport: http(config.rpcUrl, { timeout: 10_000 }) })
  try {
    return await deploy(client, config)
  } catch (error) {
    if (error instanceof DevnetError) throw error
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new DevnetError('DEPLOY_FAILED', `The L1 contracts cannot be deployed: ${reason}`, {}, { cause: error })
  }
}

/** Where the contracts will be: they name one another, so their addresses must be known before the first is there. */
export function contractAddresses({ deployer, nonce }: { deployer: Address; nonce: number }): DeployedContracts {
  const at = (place: number) =>
    getContractAddress({ from: deployer, nonce: BigInt(nonce + place) }).toLowerCase() as Address
  return { messageQueue: at(0), registry: at(1), staking: at(2), rollup: at(3) }
}

/** A transaction of the deployment. `to` null creates a contract. */
interface Step {
  readonly name: string
  readonly key: Hex
  readonly to: Address | null
  readonly data: Hex
  readonly value: Wei
  readonly gas: bigint
}

async function deploy(client: Client, config: DeployContractsConfig): Promise<Deployment> {
  const deployer = privateKeyToAccount(config.deployerKey).address.toLowerCase() as Address
  const chainId = Number(await client.request({ method: 'eth_chainId' } as never))
  const nonce = await nonceOf(client, deployer)
  const contracts = contractAddresses({ deployer, nonce })
  const domain: SigningDomain = { l1ChainId: chainId, rollup: contracts.rollup }
  for (const { address, balance } of [...config.balances, { address: deployer, balance: deployerBalance(config) }])
    await client.request({ method: 'anvil_setBalance', params: [address, `0x${balance.toString(16)}`] } as never)

  const created = await creations(config, contracts)
  const registered = config.sequencers.map(sequencer => registration(sequencer, contracts, domain))
  await rehearse({ client, config, contracts, nonce, created, registered })
  const steps = [
    ...created,
    ...registered,
    call(
      'elect',
      config.deployerKey,
      contracts.staking,
      encodeFunctionData({ abi: stakingAbi, functionName: 'elect' }),
    ),
  ]
  // One after another and with falling tips: whenever a block is made, it holds the steps in this order.
  const hashes: Hex[] = []
  const nonces = new Map<Hex, number>()
  for (const [place, step] of steps.entries()) {
    const next = nonces.get(step.key) ?? (await nonceOf(client, privateKeyToAccount(step.key).address))
    nonces.set(step.key, next + 1)
    hashes.push(await send({ client, chainId, step, nonce: next, tip: gwei + BigInt(steps.length - place) * 1_000n }))
  }
  const startBlock = await untilMined(client, steps, hashes)
  return { contracts, domain, setId: firstSet, startBlock }
}

function deployerBalance({ l2GenesisFunds }: DeployContractsConfig): Wei {
  return l2GenesisFunds + 1_000n * oneEther
}

async function creations(config: DeployContractsConfig, contracts: DeployedContracts): Promise<Step[]> {
  const { parameters, genesis, l2GenesisFunds, deployerKey: key } = config
  const create = async (name: string, value: Wei, args: readonly unknown[]): Promise<Step> => {
    const artifact = await readArtifact(name)
    const inputs = artifact.abi.find(item => item.type === 'constructor')?.inputs ?? []
    const data = concatHex([artifact.bytecode, encodeAbiParameters(inputs, args)])
    return { name, key, to: null, data, value, gas: 10_000_000n }
  }
  return [
    await create('MessageQueue', l2GenesisFunds, []),
    await create('SequencerRegistry', 0n, [contracts.staking]),
    await create('SequencerStaking', 0n, [
      contracts.registry,
      contracts.rollup,
      smallestStake,
      BigInt(parameters.minSequencers),
      BigInt(parameters.maxSequencers),
    ]),
    await create('Rollup', 0n, [
      contracts.registry,
      contracts.messageQueue,
      BigInt(parameters.challengeWindowSec),
      BigInt(parameters.submitterTurnSec),
      BigInt(parameters.forcedInclusionWindowSec),
      ringSize(parameters, config.l1BlockTimeSec),
      genesis.lastBlockHash,
      genesis.postStateRoot,
    ]),
  ]
}

/** Asks L1 what it would say to each step: ETH that a wrong parameter has left in a contract is lost. @throws DevnetError */
async function rehearse({
  client,
  config,
  contracts,
  nonce,
  created,
  registered,
}: {
  client: Client
  config: DeployContractsConfig
  contracts: DeployedContracts
  nonce: number
  created: readonly Step[]
  registered: readonly Step[]
}): Promise<void> {
  const { minSequencers } = config.parameters
  if (registered.length < minSequencers) {
    const reason = `TooFewSequencers(${registered.length}, ${minSequencers})`
    throw new DevnetError('DEPLOY_FAILED', `L1 would refuse the election: ${reason}.`, { name: 'elect', reason })
  }
  const deployer = privateKeyToAccount(config.deployerKey).address
  const addresses = [contracts.messageQueue, contracts.registry, contracts.staking, contracts.rollup]
  const there: Record<Address, { code: Hex }> = {}
  for (const [place, step] of created.entries()) {
    const overrides = { ...there, [deployer]: { nonce: `0x${(nonce + place).toString(16)}` } }
    there[addresses[place]!] = { code: await simulate(client, step, overrides) }
  }
  await Promise.all(registered.map(step => simulate(client, step, there)))
}

/** What a step would return: of a creation, the code. @throws DevnetError when it would revert */
async function simulate(client: Client, { name, key, to, data, value, gas }: Step, overrides: object): Promise<Hex> {
  const from = privateKeyToAccount(key).address
  const quantities = { value: `0x${value.toString(16)}`, gas: `0x${gas.toString(16)}` }
  const params = [{ from, ...(to && { to }), data, ...quantities }, 'latest', overrides]
  try {
    return (await client.request({ method: 'eth_call', params } as never)) as Hex
  } catch (error) {
    const reason = refusalOf(error)?.detail
    if (reason === undefined) throw error
    throw new DevnetError('DEPLOY_FAILED', `L1 refuses the transaction "${name}": ${reason}.`, { name, reason })
  }
}

/** Places for batches: three for each L1 block of a challenge window, since batches can be full that often, and some to spare. */
export function ringSize({ challengeWindowSec }: ProtocolParameters, l1BlockTimeSec: number): bigint {
  return 64n + 3n * BigInt(Math.ceil(challengeWindowSec / l1BlockTimeSec))
}

function registration(sequencer: SequencerToRegister, contracts: DeployedContracts, domain: SigningDomain): Step {
  const { operatorKey, submitter, feeRecipient, consensusKey, stake = devnetStake } = sequencer
  const publicKey = parseBlsPublicKey(consensusKey.publicKey())
  invariant(publicKey, 'a secret key has a public key')
  const operator = privateKeyToAccount(operatorKey).address.toLowerCase() as Address
  const proof = consensusKey.sign(proofOfPossessionDigest(domain, { operator, publicKey }))
  const data = encodeFunctionData({
    abi: stakingAbi,
    functionName: 'register',
    args: [
      bytesToHex(blsPublicKeyToEip2537(publicKey)),
      bytesToHex(blsSignatureToEip2537(proof)),
      feeRecipient,
      submitter,
    ],
  })
  return { name: `register ${operator}`, key: operatorKey, to: contracts.staking, data, value: stake, gas: registerGas }
}

function call(name: string, key: Hex, to: Address, data: Hex): Step {
  return { name, key, to, data, value: 0n, gas: maxTransactionGas }
}

async function nonceOf(client: Client, address: Address): Promise<number> {
  return Number(await client.request({ method: 'eth_getTransactionCount', params: [address, 'latest'] } as never))
}

async function send({
  client,
  chainId,
  step,
  nonce,
  tip,
}: {
  client: Client
  chainId: number
  step: Step
  nonce: number
  tip: bigint
}): Promise<Hex> {
  const raw = await privateKeyToAccount(step.key).signTransaction({
    type: 'eip1559',
    chainId,
    nonce,
    to: step.to,
    data: step.data,
    value: step.value,
    gas: step.gas,
    maxPriorityFeePerGas: tip,
    maxFeePerGas: 100n * gwei + tip,
  })
  return (await client.request({ method: 'eth_sendRawTransaction', params: [raw] } as never)) as Hex
}

/** Makes blocks until all steps are in one; the number of the first. @throws DevnetError when a step reverted */
async function untilMined(client: Client, steps: readonly Step[], hashes: readonly Hex[]): Promise<L1BlockNumber> {
  let startBlock = Number.MAX_SAFE_INTEGER
  let at = 0
  for (let blocks = 0; blocks < 4 + steps.length; blocks++) {
    await client.request({ method: 'evm_mine' } as never)
    for (; at < steps.length; at++) {
      const receipt = await receiptOf(client, hashes[at]!)
      if (!receipt) break
      if (receipt.status !== '0x1') await fail(client, steps[at]!)
      startBlock = Math.min(startBlock, Number(receipt.blockNumber))
    }
    if (at === steps.length) return startBlock
  }
  throw new DevnetError('DEPLOY_FAILED', `L1 does not take the transaction "${steps[at]!.name}".`)
}

async function receiptOf(client: Client, hash: Hex): Promise<{ status: Hex; blockNumber: Hex } | null> {
  return client.request({ method: 'eth_getTransactionReceipt', params: [hash] } as never)
}

/** Asks again by eth_call for the name of the error. @throws DevnetError */
async function fail(client: Client, step: Step): Promise<never> {
  await simulate(client, step, {})
  throw new DevnetError('DEPLOY_FAILED', `L1 reverted the transaction "${step.name}".`, { name: step.name })
}

async function readArtifact(name: string): Promise<{ abi: Abi; bytecode: Hex }> {
  return JSON.parse(await readFile(path.join(packageRoot, 'contracts', 'artifacts', `${name}.json`), 'utf8'))
}
