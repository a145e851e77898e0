import { createBlockFromRPC, type JSONRPCBlock } from '@ethereumjs/block'
import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, it } from 'vitest'
import { keccak256Hex } from '../../../../base/crypto/keccak.js'
import { bytesToHex, hexToBytes } from '../../../../base/primitives/bytes.js'
import { type Address, zeroHash } from '../../../../base/primitives/hashes.js'
import type { Block } from '../../../../base/protocol/block.js'
import { contextHash, emptyInboxRoot } from '../../../../base/protocol/block-context.js'
import {
  type BlockHeader,
  emptyRequestsHash,
  emptyTrieRoot,
  headerHash,
  prevRandaoOf,
} from '../../../../base/protocol/block-header.js'
import { type AccessListEntry, decodeTransaction } from '../../../../base/protocol/transaction.js'
import { ExecutionRpcError } from '../../execution-rpc-error.js'
import type { CallExecutor, CallOutcome, CallRequest, ChainReader, StateReader, StoredReceipt } from '../reading.js'
import { decodeReceiptAt, encodeReceipts } from '../store/stored-receipt.js'
import { createEthQueries } from './eth-queries.js'
import { logsBloom } from './log-bloom.js'

const account = privateKeyToAccount(`0x${'11'.repeat(32)}`)
const sender = account.address.toLowerCase() as Address
const token = `0x${'aa'.repeat(20)}` as Address
const transferTopic = `0x${'dd'.repeat(32)}` as Hex
const topic = (digit: string) => `0x${digit.repeat(64)}` as Hex
const gwei = 1_000_000_000n

const signed = await Promise.all([
  account.signTransaction({
    type: 'legacy',
    chainId: 5,
    nonce: 0,
    gasPrice: 3n * gwei,
    gas: 21_000n,
    to: token,
    value: 1n,
  }),
  account.signTransaction({
    type: 'eip2930',
    chainId: 5,
    nonce: 1,
    gasPrice: 3n * gwei,
    gas: 50_000n,
    to: token,
    data: '0x1234',
    accessList: [{ address: token, storageKeys: [topic('1')] }],
  }),
  account.signTransaction({
    type: 'eip1559',
    chainId: 5,
    nonce: 2,
    maxFeePerGas: 10n * gwei,
    maxPriorityFeePerGas: gwei,
    gas: 90_000n,
    data: '0x6000',
  }),
  account.signTransaction({
    type: 'eip7702',
    chainId: 5,
    nonce: 3,
    maxFeePerGas: 10n * gwei,
    maxPriorityFeePerGas: 2n * gwei,
    gas: 90_000n,
    to: token,
    authorizationList: [await account.signAuthorization({ address: token, chainId: 5, nonce: 4 })],
  }),
])
const created = `0x${'cc'.repeat(20)}` as Address

function receiptsOf(transactions: readonly Uint8Array[]): StoredReceipt[] {
  return transactions.map((raw, index) => {
    const { maxFeePerGas, maxPriorityFeePerGas, to } = decodeTransaction(raw)
    const price = gwei + maxPriorityFeePerGas
    return {
      sender,
      succeeded: index !== 1,
      gasUsed: 21_000,
      cumulativeGasUsed: 21_000 * (index + 1),
      effectiveGasPrice: price < maxFeePerGas ? price : maxFeePerGas,
      contractAddress: to ? null : created,
      logs: [
        { address: token, topics: [transferTopic, topic(String(index))], data: hexToBytes('0x01') },
        { address: created, topics: [], data: new Uint8Array(0) },
      ],
    }
  })
}

function makeBlock(parent: Block | null, transactions: readonly Uint8Array[]): Block {
  const number = parent ? parent.header.number + 1 : 0
  const context = {
    version: 1,
    setId: 1,
    proposerIndex: 0,
    timestampMs: number * 1000,
    l1OriginNumber: 1,
    l1OriginHash: zeroHash,
    messagesConsumed: 0,
    inboxRoot: emptyInboxRoot,
  }
  const parentHash = parent?.hash ?? zeroHash
  const header: BlockHeader = {
    parentHash,
    feeRecipient: created,
    stateRoot: topic('5'),
    transactionsRoot: emptyTrieRoot,
    receiptsRoot: emptyTrieRoot,
    logsBloom: logsBloom(receiptsOf(transactions).flatMap(({ logs }) => logs)),
    number,
    gasLimit: 30_000_000,
    gasUsed: 21_000 * transactions.length,
    timestamp: 1_700_000_000 + number,
    prevRandao: prevRandaoOf(parentHash, number),
    baseFeePerGas: gwei,
    withdrawalsRoot: emptyTrieRoot,
    parentBeaconBlockRoot: contextHash(context),
    requestsHash: emptyRequestsHash,
  }
  const withdrawals = [{ index: number, validatorIndex: 0, address: token, amount: 7n }]
  return { hash: headerHash(header), header, context, transactions, withdrawals }
}

/** A chain of five blocks: transactions in block 2 and, the same again, in block 4. */
function makeChain(): ChainReader {
  const raws = signed.map(hexToBytes)
  const blocks: Block[] = []
  for (const transactions of [[], [], raws, [], raws]) blocks.push(makeBlock(blocks.at(-1) ?? null, transactions))
  return {
    heads: () => ({ head: blocks[4]!.header, safe: 2, finalized: 1 }),
    hashAt: height => blocks[height]?.hash ?? null,
    headerAt: height => blocks[height]?.header ?? null,
    logsBloomAt: height => (blocks[height] ? hexToBytes(blocks[height].header.logsBloom) : null),
    blockAt: height => blocks[height] ?? null,
    heightOf: hash => blocks.find(block => block.hash === hash)?.header.number ?? null,
    receiptsAt: height => (blocks[height] ? receiptsOf(blocks[height].transactions) : null),
    outcomesAt: height => (blocks[height] ? receiptsOf(blocks[height].transactions) : null),
    receiptAt: (height, index) => decodeReceiptAt(encodeReceipts(receiptsOf(blocks[height]!.transactions)), index),
    transactionPosition: hash => {
      const index = raws.findIndex(raw => keccak256Hex(raw) === hash)
      return index < 0 ? null : { height: 2, index }
    },
  }
}

const state: StateReader = {
  balance: (_root, address) => (address === sender ? 10n ** 18n : 0n),
  nonce: (_root, address) => (address === sender ? 4 : 0),
  code: (_root, address) => (address === token ? hexToBytes('0x6001') : new Uint8Array(0)),
  storage: (_root, _address, slot) => slot,
  proof: (_root, _address, slots) => ({
    nonce: 4,
    balance: 9n,
    codeHash: topic('c'),
    storageRoot: topic('5'),
    accountProof: [hexToBytes('0x01')],
    storageProof: slots.map(slot => ({ slot, value: 0n, proof: [] })),
  }),
}

function queries({
  call = async () => ({
    status: 'returned',
    data: hexToBytes('0xbeef'),
    gasUsed: 21_000,
    logs: [],
    createdAddress: null,
  }),
  callWithAccesses = async () => expect.fail(),
  limits = {},
}: Partial<CallExecutor> & {
  limits?: Parameters<typeof createEthQueries>[0]['limits'] & object
} = {}) {
  const chain = makeChain()
  const { request } = createEthQueries({ chain, state, calls: { call, callWithAccesses }, chainId: 5, limits })
  return (method: string, ...params: unknown[]) => request(method, params)
}

async function refusal(answer: Promise<unknown>): Promise<{ code: number; message: string; data?: unknown }> {
  const error = await answer.then(
    value => expect.fail(`answered ${JSON.stringify(value)}`),
    error => error,
  )
  expect(error).toBeInstanceOf(ExecutionRpcError)
  return error.rpc
}

type Json = Record<string, unknown>

describe('blocks and transactions', () => {
  const ask = queries()

  it('a block in JSON has every field of its hash, in the form that another implementation reads', async () => {
    const json = (await ask('eth_getBlockByNumber', '0x2', true)) as Json
    const common = new Common({ chain: { ...Mainnet, chainId: 5 }, hardfork: Hardfork.Prague })
    const block = createBlockFromRPC(json as unknown as JSONRPCBlock, [], { common, setHardfork: false })
    expect(bytesToHex(block.hash())).toBe(json.hash)
    expect(Number(json.size)).toBe(block.serialize().length)
    expect(block.transactions.map(transaction => bytesToHex(transaction.serialize()))).toEqual(signed)
    expect(block.transactions.map(transaction => transaction.getSenderAddress().toString())).toEqual(
      signed.map(() => sender),
    )
    expect(json.withdrawals).toEqual([{ index: '0x2', validatorIndex: '0x0', address: token, amount: '0x7' }])
    expect(json).not.toHaveProperty('totalDifficulty')
  })

  it('tags and hashes name the block that they should', async () => {
    const numberOf = async (name: string) => ((await ask('eth_getBlockByNumber', name, false)) as Json).number
    expect(await Promise.all(['earliest', 'finalized', 'safe', 'latest', 'pending'].map(numberOf))).toEqual([
      '0x0',
      '0x1',
      '0x2',
      '0x4',
      '0x4',
    ])
    const { hash, transactions } = (await ask('eth_getBlockByNumber', '0x2', false)) as Json
    expect(transactions).toEqual(signed.map(raw => keccak256Hex(hexToBytes(raw))))
    expect(await ask('eth_getBlockByHash', hash, false)).toMatchObject({ number: '0x2' })
    expect(await ask('eth_blockNumber')).toBe('0x4')
  })

  it('answers null for what is not known', async () => {
    expect(await ask('eth_getBlockByNumber', '0x5', false)).toBeNull()
    expect(await ask('eth_getBlockByHash', topic('9'), true)).toBeNull()
    expect(await ask('eth_getTransactionByHash', topic('9'))).toBeNull()
    expect(await ask('eth_getTransactionReceipt', topic('9'))).toBeNull()
    expect(await ask('eth_getBlockReceipts', '0x99')).toBeNull()
    expect(await ask('eth_getTransactionByBlockNumberAndIndex', '0x2', '0x4')).toBeNull()
    expect(await ask('eth_getUncleByBlockNumberAndIndex', '0x2', '0x0')).toBeNull()
    expect(await ask('eth_getBlockTransactionCountByNumber', '0x99')).toBeNull()
    expect(await ask('eth_getRawTransactionByHash', topic('9'))).toBeNull()
  })

  it('finds a transaction in each way to the same answer, with the price it paid', async () => {
    const hash = keccak256Hex(hexToBytes(signed[2]!))
    const json = (await ask('eth_getTransactionByHash', hash)) as Json
    expect(json).toMatchObject({ gasPrice: '0x77359400', transactionIndex: '0x2', from: sender, to: null, type: '0x2' })
    expect(await ask('eth_getTransactionByBlockNumberAndIndex', '0x2', '0x2')).toEqual(json)
    expect(await ask('eth_getTransactionByBlockHashAndIndex', json.blockHash, '0x2')).toEqual(json)
    expect(await ask('eth_getRawTransactionByHash', hash)).toBe(signed[2])
    expect(await ask('eth_getBlockTransactionCountByHash', json.blockHash)).toBe('0x4')
    expect(await ask('eth_getUncleCountByBlockNumber', '0x2')).toBe('0x0')
  })

  it('receipts number their logs through the block', async () => {
    const all = (await ask('eth_getBlockReceipts', '0x2')) as Json[]
    const one = (await ask('eth_getTransactionReceipt', keccak256Hex(hexToBytes(signed[2]!)))) as Json
    expect(one).toEqual(all[2])
    expect(one).toMatchObject({ status: '0x1', contractAddress: created, to: null, cumulativeGasUsed: '0xf618' })
    expect((one.logs as Json[]).map(log => log.logIndex)).toEqual(['0x4', '0x5'])
    expect(all[1]).toMatchObject({ status: '0x0', type: '0x1' })
  })
})

describe('accounts', () => {
  const ask = queries()

  it('reads balance, nonce, code, storage and proof', async () => {
    expect(await ask('eth_getBalance', account.address, 'latest')).toBe('0xde0b6b3a7640000')
    expect(await ask('eth_getTransactionCount', sender, { blockNumber: '0x1' })).toBe('0x4')
    expect(await ask('eth_getCode', token, 'safe')).toBe('0x6001')
    expect(await ask('eth_getCode', sender, 'latest')).toBe('0x')
    expect(await ask('eth_getStorageAt', token, '0x1', 'latest')).toBe(`0x${'1'.padStart(64, '0')}`)
    expect(await ask('eth_getProof', sender, ['0x1', topic('2')], 'latest')).toEqual({
      address: sender,
      accountProof: ['0x01'],
      balance: '0x9',
      codeHash: topic('c'),
      nonce: '0x4',
      storageHash: topic('5'),
      storageProof: [
        { key: '0x1', value: '0x0', proof: [] },
        { key: topic('2'), value: '0x0', proof: [] },
      ],
    })
  })

  it('says what is wrong with an argument, in the words of geth', async () => {
    const cases: [string, unknown[], number, string][] = [
      ['eth_getBalance', ['0x12'], -32602, 'invalid argument 0: hex string has length 2, want 40 for common.Address'],
      ['eth_getBalance', [], -32602, 'missing value for required argument 0'],
      ['eth_getBalance', [sender], -32602, 'missing value for required argument 1'],
      ['eth_getBalance', [sender, 'latest', 1], -32602, 'too many arguments, want at most 2'],
      ['eth_getBalance', [sender, '0x01'], -32602, 'invalid argument 1: hex number with leading zero digits'],
      ['eth_getBalance', [sender, '5'], -32602, 'invalid argument 1: hex string without 0x prefix'],
      ['eth_getBalance', [sender, '0x9'], -32000, 'header not found'],
      ['eth_getBalance', [sender, topic('9')], -32000, 'header for hash not found'],
      [
        'eth_getBlockByNumber',
        ['latest', 'x'],
        -32602,
        'invalid argument 1: json: cannot unmarshal string into Go value of type bool',
      ],
      [
        'eth_call',
        [{ value: '1' }],
        -32602,
        'invalid argument 0: json: cannot unmarshal hex string without 0x prefix into Go struct field TransactionArgs.value of type *hexutil.Big',
      ],
      ['eth_nope', [], -32601, 'the method eth_nope does not exist/is not available'],
      ['toString', [], -32601, 'the method toString does not exist/is not available'],
    ]
    for (const [method, params, code, message] of cases)
      expect(await refusal(ask(method, ...params)), method).toEqual({ code, message })
  })
})

describe('logs', () => {
  const ask = queries()
  const count = async (filter: Json) => ((await ask('eth_getLogs', filter)) as Json[]).length

  it('filters by range, address and topics', async () => {
    const all = { fromBlock: 'earliest', toBlock: 'latest' }
    expect(await count(all)).toBe(16)
    expect(await count({})).toBe(8)
    expect(await count({ ...all, toBlock: '0x3' })).toBe(8)
    expect(await count({ ...all, toBlock: '0xffff' })).toBe(16)
    expect(await count({ ...all, address: token })).toBe(8)
    expect(await count({ ...all, address: [token, created] })).toBe(16)
    expect(await count({ ...all, topics: [transferTopic] })).toBe(8)
    expect(await count({ ...all, topics: [null, topic('1')] })).toBe(2)
    expect(
      await count({
        ...all,
        topics: [
          [transferTopic, topic('7')],
          [topic('1'), topic('2')],
        ],
      }),
    ).toBe(4)
    expect(await count({ ...all, topics: [topic('1')] })).toBe(0)
    expect(await count({ fromBlock: '0x77', toBlock: '0x78' })).toBe(0)
    const { hash } = (await ask('eth_getBlockByNumber', '0x2', false)) as Json
    expect(await count({ blockHash: hash, address: created })).toBe(4)
  })

  it('a log says where it is', async () => {
    const [log] = (await ask('eth_getLogs', { fromBlock: '0x2', toBlock: '0x2', topics: [[], topic('3')] })) as Json[]
    const block = (await ask('eth_getBlockByNumber', '0x2', false)) as { hash: string; transactions: string[] }
    expect(log).toEqual({
      address: token,
      topics: [transferTopic, topic('3')],
      data: '0x01',
      blockNumber: '0x2',
      blockHash: block.hash,
      blockTimestamp: '0x6553f102',
      transactionHash: block.transactions[3],
      transactionIndex: '0x3',
      logIndex: '0x6',
      removed: false,
    })
  })

  it('refuses what would cost too much, and filters that make no sense', async () => {
    const narrow = queries({ limits: { maxBlocks: 4, maxResults: 8 } })
    const all = { fromBlock: 'earliest', toBlock: 'latest' }
    expect((await refusal(narrow('eth_getLogs', all))).code).toBe(-32005)
    expect(await refusal(narrow('eth_getLogs', { ...all, fromBlock: '0x1' }))).toEqual({
      code: -32005,
      message: 'query returned more than 8 results',
    })
    expect(await refusal(queries({ limits: { maxDataBytes: 7 } })('eth_getLogs', all))).toEqual({
      code: -32005,
      message: 'query returned more than 7 bytes of log data',
    })
    expect(await refusal(ask('eth_getLogs', { fromBlock: '0x2', toBlock: '0x1' }))).toEqual({
      code: -32602,
      message: 'invalid block range params',
    })
    expect(await refusal(ask('eth_getLogs', { blockHash: topic('9') }))).toEqual({
      code: -32000,
      message: 'unknown block',
    })
    for (const bad of [
      { address: 5 },
      { address: ['0x12'] },
      { topics: 'x' },
      { topics: ['0x12'] },
      { topics: Array(5).fill(null) },
      { address: Array(1001).fill(token) },
      { blockHash: topic('9'), fromBlock: '0x1' },
      [],
      'x',
    ])
      expect((await refusal(ask('eth_getLogs', bad))).code, JSON.stringify(bad).slice(0, 60)).toBe(-32602)
  })
})

it.each([
  ['eth_getLogs', [{ fromBlock: 'earliest' }]],
  ['eth_feeHistory', [5, 'latest', [50]]],
])('%s asks at each block whether to go on', async (method, params) => {
  let checks = 0
  const check = () => {
    if (++checks === 3) throw new ExecutionRpcError({ code: -32005, message: 'enough' })
  }
  const calls = { call: async () => expect.fail(), callWithAccesses: async () => expect.fail() }
  const { request } = createEthQueries({ chain: makeChain(), state, calls, chainId: 5, timer: { check } })
  expect(await refusal(request(method, params))).toEqual({ code: -32005, message: 'enough' })
})

describe('fees', () => {
  const ask = queries()

  it('suggests prices from recent blocks', async () => {
    expect(await ask('eth_maxPriorityFeePerGas')).toBe('0x77359400')
    expect(await ask('eth_gasPrice')).toBe('0xb2d05e00')
    expect(await ask('eth_blobBaseFee')).toBe('0x1')
  })

  it('tells the history of fees, rewards by percentile of gas', async () => {
    const history = (await ask('eth_feeHistory', '0x2', '0x2', [0, 25, 50, 75, 100])) as Json
    expect(history).toEqual({
      oldestBlock: '0x1',
      baseFeePerGas: ['0x3b9aca00', '0x3b9aca00', '0x3b9aca00'],
      gasUsedRatio: [0, 84_000 / 30_000_000],
      baseFeePerBlobGas: ['0x1', '0x1', '0x1'],
      blobGasUsedRatio: [0, 0],
      reward: [
        ['0x0', '0x0', '0x0', '0x0', '0x0'],
        ['0x3b9aca00', '0x3b9aca00', '0x77359400', '0x77359400', '0x77359400'],
      ],
    })
    const upToHead = (await ask('eth_feeHistory', 1, 'latest')) as { baseFeePerGas: string[] }
    // An almost empty block lowers the base fee by nearly an eighth.
    expect(Number(upToHead.baseFeePerGas[1])).toBe(875_700_000)
    expect(upToHead).not.toHaveProperty('reward')
    expect(((await ask('eth_feeHistory', '10000', 'latest')) as Json).oldestBlock).toBe('0x0')
  })

  it('refuses percentiles out of order and blocks to come', async () => {
    expect((await refusal(ask('eth_feeHistory', 1, 'latest', [50, 20]))).message).toContain('invalid reward percentile')
    expect((await refusal(ask('eth_feeHistory', 1, 'latest', [101]))).message).toContain('invalid reward percentile')
    expect((await refusal(ask('eth_feeHistory', 1, '0x9'))).message).toBe(
      'request beyond head block: requested 9, head 4',
    )
    expect((await refusal(ask('eth_feeHistory', -1, 'latest'))).code).toBe(-32602)
  })
})

describe('calls', () => {
  const seen: CallRequest[] = []
  const answer =
    (outcome: CallOutcome): CallExecutor['call'] =>
    async request => {
      seen.push(request)
      return outcome
    }

  it('passes on what was asked, with defaults and overrides', async () => {
    const ask = queries({
      call: answer({ status: 'returned', data: hexToBytes('0xbeef'), gasUsed: 1, logs: [], createdAddress: null }),
    })
    const overrides = { [account.address]: { balance: '0x5', stateDiff: { [topic('1')]: topic('2') } } }
    expect(await ask('eth_call', { to: token, input: '0x1234' }, 'safe', overrides, { time: '0x9' })).toBe('0xbeef')
    expect(seen.at(-1)).toMatchObject({
      to: token,
      from: `0x${'00'.repeat(20)}`,
      data: hexToBytes('0x1234'),
      gas: 50_000_000,
      maxFeePerGas: 0n,
      overrides: { [sender]: { balance: 5n, stateDiff: { [topic('1')]: topic('2') } } },
      blockOverrides: { timestamp: 9 },
    })
    expect(seen.at(-1)?.header.number).toBe(2)
    await ask('eth_call', { to: token, gas: '0xffffffffffffffff', gasPrice: '0x7' })
    expect(seen.at(-1)).toMatchObject({ gas: 50_000_000, maxFeePerGas: 7n, maxPriorityFeePerGas: 7n })
  })

  it('a revert has code 3, its data and its reason', async () => {
    const reason = `0x08c379a0${'20'.padStart(64, '0')}${'4'.padStart(64, '0')}${'6e6f7065'.padEnd(64, '0')}`
    const panic = `0x4e487b71${'11'.padStart(64, '0')}`
    const reverted = (data: string) =>
      queries({ call: answer({ status: 'reverted', data: hexToBytes(data), gasUsed: 1 }) })
    for (const method of ['eth_call', 'eth_estimateGas']) {
      expect(await refusal(reverted(reason)(method, { to: token }))).toEqual({
        code: 3,
        message: 'execution reverted: nope',
        data: reason,
      })
      expect(await refusal(reverted(panic)(method, { to: token }))).toEqual({
        code: 3,
        message: 'execution reverted: arithmetic underflow or overflow',
        data: panic,
      })
      expect(await refusal(reverted('0x')(method, { to: token }))).toEqual({
        code: 3,
        message: 'execution reverted',
        data: '0x',
      })
      expect((await refusal(reverted(reason.slice(0, 140))(method, { to: token }))).message).toBe('execution reverted')
    }
    const failed = queries({ call: answer({ status: 'failed', message: 'invalid opcode: INVALID', gasUsed: 1 }) })
    expect(await refusal(failed('eth_call', { to: token }))).toEqual({
      code: -32000,
      message: 'invalid opcode: INVALID',
    })
  })

  const needing =
    (needed: number, used = needed): CallExecutor['call'] =>
    async ({ gas }) =>
      gas >= needed
        ? { status: 'returned', data: new Uint8Array(0), gasUsed: used, logs: [], createdAddress: null }
        : { status: 'failed', message: 'out of gas', gasUsed: gas }

  it('a transfer takes exactly 21,000 gas', async () => {
    const ask = queries({ call: needing(21_000) })
    expect(await ask('eth_estimateGas', { from: sender, to: created, value: '0x1' })).toBe('0x5208')
  })

  it('an estimate is enough, and near to what is needed', async () => {
    for (const [needed, used] of [
      [53_000, 53_000],
      [100_000, 70_000],
      [2_000_000, 30_000],
      [29_999_999, 25_000_000],
    ] as const) {
      const gas = Number(await queries({ call: needing(needed, used) })('eth_estimateGas', { to: token, data: '0x01' }))
      expect(gas).toBeGreaterThanOrEqual(needed)
      expect(gas).toBeLessThan(Math.max(needed, used * (64 / 63) + 2_400) * 1.016)
    }
  })

  it('says so when no allowance is enough', async () => {
    const ask = queries({ call: needing(100_000) })
    const dear = { from: sender, to: token, data: '0x01', maxFeePerGas: '0x9184e72a000', maxPriorityFeePerGas: '0x0' }
    expect(await refusal(ask('eth_estimateGas', { to: token, data: '0x01', gas: '0xc350' }))).toEqual({
      code: -32000,
      message: 'gas required exceeds allowance (50000)',
    })
    expect(await ask('eth_estimateGas', dear)).toMatch(/^0x/)
    // 1 ETH at 10^14 wei buys 10,000 gas.
    expect((await refusal(ask('eth_estimateGas', { ...dear, maxFeePerGas: '0x5af3107a4000' }))).message).toBe(
      'gas required exceeds allowance (10000)',
    )
    expect(
      (await refusal(ask('eth_estimateGas', { ...dear, value: `0x${(10n ** 19n).toString(16)}` }))).message,
    ).toContain('insufficient funds')
    const capped = queries({ call: needing(20_000_000), limits: { transactionGas: 16_777_216 } })
    expect((await refusal(capped('eth_estimateGas', { to: token, data: '0x01' }))).message).toBe(
      'gas required exceeds allowance (16777216)',
    )
  })

  describe('an access list', () => {
    const key = (n: string) => topic(n)
    const returned = {
      status: 'returned',
      data: new Uint8Array(0),
      gasUsed: 30_000,
      logs: [],
      createdAddress: null,
    } as const
    /** Runs that touch this beyond what they were given, one after the other. */
    const touching = (...runs: (readonly AccessListEntry[])[]): CallExecutor['callWithAccesses'] => {
      let run = 0
      return async request => {
        seen.push(request)
        return { outcome: { ...returned, gasUsed: 30_000 - run }, accessed: runs[run++] ?? [] }
      }
    }

    it('is gathered until a run touches nothing new, beginning with the one that was given', async () => {
      const callWithAccesses = touching(
        [{ address: token, storageKeys: [key('1')] }],
        [
          { address: token, storageKeys: [key('2')] },
          { address: sender, storageKeys: [] },
        ],
      )
      const given = [{ address: created, storageKeys: [key('7')] }]
      const answer = await queries({ callWithAccesses })('eth_createAccessList', { to: token, accessList: given })
      expect(answer).toEqual({
        accessList: [
          ...given,
          { address: token, storageKeys: [key('1'), key('2')] },
          { address: sender, storageKeys: [] },
        ],
        gasUsed: '0x752e',
      })
      expect(seen.at(-1)?.accessList).toEqual((answer as { accessList: unknown }).accessList)
    })

    it('of a call that fails comes with the error', async () => {
      const ending =
        (outcome: CallOutcome): CallExecutor['callWithAccesses'] =>
        async () => ({ outcome, accessed: [] })
      const ask = (outcome: CallOutcome) =>
        queries({ callWithAccesses: ending(outcome) })('eth_createAccessList', { to: token }, 'latest')
      expect(await ask({ status: 'reverted', data: new Uint8Array(4), gasUsed: 21_500 })).toEqual({
        accessList: [],
        error: 'execution reverted',
        gasUsed: '0x53fc',
      })
      expect(await ask({ status: 'failed', message: 'out of gas', gasUsed: 50_000 })).toMatchObject({
        error: 'out of gas',
      })
      expect(await refusal(ask({ status: 'failed', message: 'intrinsic gas too low', gasUsed: 0 }))).toEqual({
        code: -32000,
        message: 'failed to apply transaction: intrinsic gas too low',
      })
    })

    it('that never ends is refused', async () => {
      let slot = 0
      const ask = queries({
        callWithAccesses: async () => ({
          outcome: returned,
          accessed: [{ address: token, storageKeys: [`0x${(slot++).toString(16).padStart(64, '0')}`] }],
        }),
      })
      expect((await refusal(ask('eth_createAccessList', { to: token }))).message).toContain('without end')
      expect(slot).toBe(16)
    })
  })

  it('refuses arguments that contradict each other or that no call can have', async () => {
    const ask = queries()
    for (const [args, code] of [
      [{ gasPrice: '0x1', maxFeePerGas: '0x1' }, -32000],
      [{ maxFeePerGas: '0x1', maxPriorityFeePerGas: '0x2' }, -32000],
      [{ chainId: '0x6' }, -32000],
      [{ data: '0x01', input: '0x02' }, -32602],
      [{ blobVersionedHashes: [topic('1')] }, -32602],
      [{ value: `0x1${'0'.repeat(64)}` }, -32602],
      [{ data: '0x123' }, -32602],
      [{ accessList: [{ address: token }] }, -32602],
      [{ authorizationList: [{}] }, -32602],
      ['0x', -32602],
    ] as const)
      expect((await refusal(ask('eth_call', args))).code, JSON.stringify(args)).toBe(code)
    for (const bad of [
      { [token]: { movePrecompileToAddress: token } },
      { __proto__x: {} },
      { [token]: { state: {}, stateDiff: {} } },
    ])
      expect((await refusal(ask('eth_call', {}, 'latest', bad))).code).toBe(-32602)
    expect((await refusal(ask('eth_call', {}, 'latest', {}, { prevRandao: topic('1') }))).code).toBe(-32602)
  })
})
