import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import { AppError } from '../app-error.js'
import { packageRoot } from '../package-root.js'
import { BenchAccount, benchFeeCap, erc20TransferData } from './bench-account.js'
import { type DevnetInfo, readDevnetInfo, rpcCall, sleep } from './bench-network.js'
import { type LatencyResult, measureLatency } from './measure-latency.js'
import { measureThroughput, type ThroughputResult } from './measure-throughput.js'
import { withOwnDevnet } from './own-devnet.js'

/** Everything that one run of the benchmark found. */
export interface BenchReport {
  readonly sequencers: number
  readonly cpus: number
  readonly latency: LatencyResult
  readonly transfers: ThroughputResult
  readonly erc20: ThroughputResult
  /** CPU that blocks cost apart from their transactions, as a share of all CPU while transfers were sustained. */
  readonly consensusShare: number
}

export interface BenchOptions {
  /** A running devnet; null starts one of its own. */
  readonly devnetFile: string | null
  readonly sequencers: number
  readonly samples: number
  /** Transactions sent as those of the latency measurement before it, which do not count. */
  readonly warmUp: number
  readonly transfers: number
  readonly erc20Transfers: number
  readonly say: (line: string) => void
}

const senders = 400
const transferGas = 21_000
const erc20TransferGas = 100_000

/** What one of them pays at most for its share, in wei: each transaction at the highest fee that it bids, and what it sends. */
function senderFunds({ transfers, erc20Transfers }: Pick<BenchOptions, 'transfers' | 'erc20Transfers'>): bigint {
  const gas = Math.ceil(transfers / senders) * transferGas + Math.ceil(erc20Transfers / senders) * erc20TransferGas
  return BigInt(gas) * benchFeeCap + BigInt(transfers)
}

/** Measures a network of real processes. @throws AppError */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  if (options.devnetFile) return measure(await readDevnetInfo(options.devnetFile), options)
  return withOwnDevnet(options, ({ info }) => measure(info, options))
}

async function measure(info: DevnetInfo, options: BenchOptions): Promise<BenchReport> {
  const { chainId } = info.l2
  const salt = `${Date.now()}`
  const url = info.nodes.find(({ role }) => role === 'sequencer')!.rpcUrl
  const rich = await openAccount({
    url,
    key: info.accounts[9]!.privateKey,
    address: info.accounts[9]!.address,
    chainId,
  })
  const accounts = Array.from({ length: senders }, (_, index) => BenchAccount.derived({ index, salt, chainId }))

  options.say('funding accounts, deploying a token …')
  const token = await prepare({ url, rich, accounts, funds: senderFunds(options) })
  options.say('waiting for the first batch, so that one-time costs are not measured …')
  for (const node of info.nodes) await sealedBatch(node.rpcUrl, 1)
  options.say(`throughput: ${options.transfers} transfers …`)
  const sink = accounts[0]!.address
  const transfers = await measureThroughput({
    info,
    raws: inTurn(accounts, options.transfers, account => account.sign({ to: sink, value: 1n, gas: transferGas })),
  })
  options.say(`throughput: ${options.erc20Transfers} ERC-20 transfers …`)
  const data = erc20TransferData(sink, 1n)
  const erc20 = await measureThroughput({
    info,
    raws: inTurn(accounts, options.erc20Transfers, account => account.sign({ to: token, data, gas: erc20TransferGas })),
  })
  options.say('waiting for the batches of these …')
  for (const node of info.nodes) await sealedBatch(node.rpcUrl, (await latestBatch(node.rpcUrl)) + 1)
  const { samples, warmUp } = options
  options.say(`latency: ${warmUp} transactions to warm up, then ${samples}, one after the other …`)
  const latency = await measureLatency({ info, account: rich, samples, warmUp })
  const consensusCpuMs = latency.cpuMsPerBlock * transfers.blocksPerSec * transfers.seconds
  return {
    sequencers: info.nodes.filter(({ role }) => role === 'sequencer').length,
    cpus: os.availableParallelism(),
    latency,
    transfers,
    erc20,
    consensusShare: consensusCpuMs / (transfers.cpuMsPerTransaction * transfers.executed),
  }
}

async function openAccount({
  url,
  key,
  address,
  chainId,
}: {
  url: string
  key: Hex
  address: Address
  chainId: number
}): Promise<BenchAccount> {
  const nonce = Number(await rpcCall<string>(url, 'eth_getTransactionCount', [address, 'pending']))
  return new BenchAccount(hexToBytes(key), chainId, nonce)
}

/** Gives every account ETH and tokens; returns the token's address. */
async function prepare({
  url,
  rich,
  accounts,
  funds,
}: {
  url: string
  rich: BenchAccount
  accounts: readonly BenchAccount[]
  funds: bigint
}): Promise<Address> {
  const { bytecode } = JSON.parse(
    await readFile(path.join(packageRoot, 'bench', 'token', 'BenchToken.json'), 'utf8'),
  ) as { bytecode: Hex }
  const send = (raw: Hex) => rpcCall<string>(url, 'eth_sendRawTransaction', [raw])
  const deployment = await send(rich.sign({ to: null, data: hexToBytes(bytecode), gas: 3_000_000 }))
  const { contractAddress } = await receipt(url, deployment)
  let last = deployment
  for (let i = 0; i < accounts.length; i++) {
    const { address } = accounts[i]!
    await send(rich.sign({ to: address, value: funds, gas: transferGas }))
    last = await send(
      rich.sign({ to: contractAddress, data: erc20TransferData(address, 10n ** 18n), gas: erc20TransferGas }),
    )
    // Below the pool's limit of one account.
    if (i % 100 === 99) await receipt(url, last)
  }
  await receipt(url, last)
  return contractAddress
}

/** Resolves when the node has sealed this batch. */
async function sealedBatch(url: string, index: number): Promise<void> {
  while ((await latestBatch(url)) < index) await sleep(200)
}

async function latestBatch(url: string): Promise<number> {
  return Number((await rpcCall<{ latestBatch: string }>(url, 'morphism_nodeStatus')).latestBatch)
}

async function receipt(url: string, hash: string): Promise<{ contractAddress: Address }> {
  for (;;) {
    const found = await rpcCall<{ contractAddress: Address; status: string } | null>(url, 'eth_getTransactionReceipt', [
      hash,
    ])
    if (found) {
      if (found.status !== '0x1') throw new AppError('BENCH_FAILED', `transaction ${hash} failed`)
      return found
    }
    await sleep(20)
  }
}

/** `count` signed transactions, the accounts taking turns. */
function inTurn(accounts: readonly BenchAccount[], count: number, sign: (account: BenchAccount) => Hex): Hex[] {
  return Array.from({ length: count }, (_, i) => sign(accounts[i % accounts.length]!))
}
