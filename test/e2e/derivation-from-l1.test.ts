import path from 'node:path'
import { encodeFunctionData, getContractAddress } from 'viem'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { l2Genesis, l2GenesisBatch } from '../../src/app/node/l2-genesis.js'
import { type NetworkFile, readNetworkFile } from '../../src/app/node/network-file.js'
import { callRpc } from '../../src/app/rpc-client.js'
import { bytesToHex, hexToBytes } from '../../src/base/primitives/bytes.js'
import { zeroHash } from '../../src/base/primitives/hashes.js'
import { batchHash } from '../../src/base/protocol/batch-header.js'
import type { Block } from '../../src/base/protocol/block.js'
import { type L1Message, nextRollingHash } from '../../src/base/protocol/l1-message.js'
import { brotliCodec } from '../../src/io/compression/brotli-codec.js'
import { createInProcessExecution } from '../../src/io/execution/embedded/in-process-execution.js'
import { signTransaction, type UnsignedTransaction } from '../../src/io/execution/sign-transaction.js'
import { createInlineKzg } from '../../src/io/kzg/inline-kzg.js'
import { messageQueueAbi } from '../../src/io/l1/contract-abis.js'
import type { L1Block, L1Reader } from '../../src/io/l1/l1-client.js'
import { createViemL1Reader } from '../../src/io/l1/reader/viem-l1-reader.js'
import { MemoryStore } from '../../src/io/storage/memory-store.js'
import type { ParentBlock } from '../../src/rules/blocks/block-attributes.js'
import { depositWithdrawal } from '../../src/rules/blocks/block-withdrawals.js'
import { deriveBlock, type L1History } from '../../src/rules/derivation/derive-block.js'
import { openBatch } from '../../src/rules/derivation/open-batch.js'
import { createProtocolSchedule } from '../../src/rules/upgrades/protocol-schedule.js'
import { RunningDevnet, until } from './running-devnet.js'

/** Runtime code: counts in slot 0 and logs when called without data, reverts when called with some. */
const counterCode = hexToBytes('0x6019600c60003960196000f33660135760005460010160005560006000a0005b60006000fd')
const gwei = 10n ** 9n
const depositsAtOnce = 3

let devnet: RunningDevnet
let file: NetworkFile
const nonces = { l1: new Map<number, number>(), l2: new Map<number, number>() }

beforeAll(async () => {
  devnet = await RunningDevnet.start({ sequencers: 2, fullNodes: 0 })
  file = await readNetworkFile(path.join(devnet.dataDir, 'network.json'))
})

afterAll(() => devnet?.destroy())

const node = () => devnet.sequencers[1]!
const keyOf = (account: number) => hexToBytes(devnet.json.accounts[account]!.privateKey)

function nextNonce(layer: 'l1' | 'l2', account: number): number {
  const nonce = nonces[layer].get(account) ?? 0
  nonces[layer].set(account, nonce + 1)
  return nonce
}

type Wanted = Partial<UnsignedTransaction> & Pick<UnsignedTransaction, 'type' | 'to'>

function send(account: number, wanted: Wanted): Promise<string> {
  const raw = signTransaction(
    {
      chainId: file.l2.chainId,
      nonce: nextNonce('l2', account),
      maxFeePerGas: 20n * gwei,
      maxPriorityFeePerGas: gwei,
      gasLimit: 200_000,
      ...wanted,
    },
    keyOf(account),
  )
  return devnet.rpc<string>(node(), 'eth_sendRawTransaction', [bytesToHex(raw)])
}

/** Puts a deposit from a user into the L1 pool. */
function deposit(account: number): Promise<string> {
  const to = devnet.json.accounts[9 - account]!.address
  const data = hexToBytes(encodeFunctionData({ abi: messageQueueAbi, functionName: 'depositETH', args: [to] }))
  const { messageQueue } = file.l1.contracts
  const nonce = nextNonce('l1', account)
  const raw = signTransaction(
    {
      type: 2,
      chainId: file.l1.chainId,
      nonce,
      maxFeePerGas: 50n * gwei,
      maxPriorityFeePerGas: gwei,
      gasLimit: 300_000,
      to: messageQueue,
      value: BigInt(nonce + 1) * gwei,
      data,
    },
    keyOf(account),
  )
  return callRpc<string>({ url: devnet.json.l1.rpcUrl, method: 'eth_sendRawTransaction', params: [bytesToHex(raw)] })
}

interface Receipt {
  readonly status: string
  readonly type: string
  readonly blockNumber: string
}

/** Transactions of every type at once: transfers, creations, calls with logs, reverts, delegations; and deposits. */
async function round(): Promise<Receipt[]> {
  const counter = getContractAddress({
    from: devnet.json.accounts[0]!.address,
    nonce: BigInt(nonces.l2.get(0) ?? 0),
  })
  const to = devnet.json.accounts[5]!.address
  const accessList = [{ address: counter, storageKeys: [zeroHash] }]
  const hashes = await Promise.all([
    send(0, { type: 2, to: null, data: counterCode }),
    send(0, { type: 2, to: counter }),
    send(0, { type: 2, to: counter, data: Uint8Array.of(1) }),
    send(1, { type: 0, to, value: 5n, gasLimit: 21_000 }),
    send(1, { type: 1, to: counter, accessList }),
    send(1, { type: 0, to: null, data: Uint8Array.of(0xfe) }),
    send(2, { type: 2, to, value: 7n, data: new Uint8Array(500).fill(3) }),
    send(2, { type: 1, to: counter, data: Uint8Array.of(1), accessList }),
    delegation({ sender: 3, authority: 4, to: counter }),
  ])
  await Promise.all(Array.from({ length: depositsAtOnce }, (_, i) => deposit(6 + i)))
  return Promise.all(
    hashes.map(hash =>
      until(`receipt of ${hash}`, 30_000, () => devnet.rpc<Receipt>(node(), 'eth_getTransactionReceipt', [hash])),
    ),
  )
}

function delegation({ sender, authority, to }: { sender: number; authority: number; to: `0x${string}` }) {
  const nonce = nextNonce('l2', authority)
  const authorizations = [{ chainId: file.l2.chainId, address: to, nonce, authorityKey: keyOf(authority) }]
  return send(sender, { type: 4, to: devnet.json.accounts[authority]!.address, authorizations })
}

/** Rounds of traffic over more than one batch, until L1 has accepted all of it; returns the receipts. */
async function traffic(reader: L1Reader): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  do receipts.push(...(await round()))
  while ((await reader.lastCommittedBatch()) < 1)
  const last = Math.max(...receipts.map(({ blockNumber }) => Number(blockNumber)))
  await until('all traffic to be committed', 60_000, async () => {
    const batch = await devnet.rpc<{ header: { lastBlock: string | number } } | null>(node(), 'morphism_getBatch', [
      'committed',
    ])
    return batch && Number(batch.header.lastBlock) >= last
  })
  return receipts
}

/** L1 as derivation reads it: everything from the endpoint, nothing from an L2 node. */
async function readL1(reader: L1Reader) {
  const head = await reader.head()
  const from = file.l1.startBlock
  const events = await reader.events({ from, to: head.number })
  const blocks = new Map<number, L1Block>()
  for (let number = from; number <= head.number; number++) blocks.set(number, (await reader.block(number))!)
  const messages: L1Message[] = events.flatMap(event => (event.type === 'message' ? [event.message] : []))
  const history: L1History = {
    blockHash: number => blocks.get(number)?.hash ?? null,
    messages: (first, end) => messages.slice(first, end),
  }
  const batches = events.flatMap(event => (event.type === 'batch-committed' && event.batchIndex > 0 ? [event] : []))
  return { history, batches, messages }
}

/** Every block of the chain, from genesis and L1 alone. */
async function derive(reader: L1Reader): Promise<Block[]> {
  const { history, batches, messages } = await readL1(reader)
  const genesis = l2Genesis(file)
  const execution = await createInProcessExecution({ store: new MemoryStore(), genesis })
  const derived: Block[] = []
  let parent: ParentBlock = { ...(await execution.blockAt(0))!, feeCarryWei: 0n }
  let parentBatch = batchHash(l2GenesisBatch(genesis))
  for (const event of batches) {
    const { header, blobVersionedHashes } = (await reader.committedBatch(event.transactionHash))!
    expect(batchHash(header)).toBe(event.batchHash)
    expect(header.parentBatchHash).toBe(parentBatch)
    parentBatch = event.batchHash
    const blobs = await reader.blobs({ l1BlockNumber: event.l1BlockNumber, versionedHashes: blobVersionedHashes })
    const set = (await reader.sequencerSet(header.setId))!
    const protocol = createProtocolSchedule(file).at(header.firstBlock)
    for (const block of openBatch({ header, blobs, codec: brotliCodec }).blocks) {
      const next = deriveBlock({ block, parent, l1: history, set, protocol })
      if (!next.ok) throw new Error(`block ${parent.header.number + 1}: ${next.error}`)
      const { block: built } = await execution.buildBlock(next.value.attributes)
      await execution.forkchoiceUpdated({ head: built.hash, safe: built.hash, finalized: built.hash })
      derived.push(built)
      parent = { ...built, feeCarryWei: next.value.feeCarryWei }
    }
    expect(parent.header.number).toBe(header.lastBlock)
    expect(parent.hash).toBe(header.lastBlockHash)
    expect(parent.header.stateRoot).toBe(header.postStateRoot)
    const consumed = messages.slice(0, header.messagesConsumed)
    expect(header.messagesRollingHash).toBe(consumed.reduce(nextRollingHash, zeroHash))
  }
  await execution.close()
  return derived
}

it('from the blobs and events on L1 alone, every block of a run with all kinds of traffic is rebuilt', async () => {
  const reader = createViemL1Reader({
    config: { rpcUrl: devnet.json.l1.rpcUrl, contracts: file.l1.contracts },
    ports: { kzg: createInlineKzg() },
  })
  const receipts = await traffic(reader)
  expect(new Set(receipts.map(({ type }) => Number(type)))).toEqual(new Set([0, 1, 2, 4]))
  expect(new Set(receipts.map(({ status }) => Number(status)))).toEqual(new Set([0, 1]))

  const derived = await derive(reader)
  for (const { hash, header, transactions } of derived) {
    const block = await devnet.rpc<{ hash: string; transactions: string[] }>(node(), 'eth_getBlockByNumber', [
      `0x${header.number.toString(16)}`,
      false,
    ])
    expect({ number: header.number, hash }).toEqual({ number: header.number, hash: block.hash })
    expect(transactions.length).toBe(block.transactions.length)
  }
  const transactionCount = derived.reduce((sum, { transactions }) => sum + transactions.length, 0)
  expect(transactionCount).toBe(receipts.length)
  const deposits = derived.map(
    ({ withdrawals }) => withdrawals.filter(({ validatorIndex }) => validatorIndex === depositWithdrawal).length,
  )
  expect(Math.max(...deposits)).toBeGreaterThan(1)
  expect(deposits.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(depositsAtOnce)
  expect(new Set(derived.map(({ context }) => context.proposerIndex)).size).toBe(2)
})
