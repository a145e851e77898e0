import { fromRlp, type Hex, parseTransaction, recoverTransactionAddress } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { keccak256Hex } from '../../../base/crypto/keccak.js'
import { bytesToHex } from '../../../base/primitives/bytes.js'
import type { Hash32 } from '../../../base/primitives/hashes.js'
import { silentLogger } from '../../telemetry/logger.js'
import { VirtualClock } from '../../time/virtual-clock.js'
import { L1Error } from '../l1-error.js'
import { type L1Call, type L1Fees, signL1Transaction } from './l1-transaction.js'
import { createL1TransactionSender, raisedFees, type SendAnswer, type SenderRpc } from './l1-transaction-sender.js'

const account = privateKeyToAccount(generatePrivateKey())
const call: L1Call = {
  to: `0x${'12'.repeat(20)}` as const,
  data: Uint8Array.of(1, 2, 3),
  gasLimit: 100_000n,
  blobs: [],
}
const blobCall: L1Call = {
  ...call,
  blobs: [
    {
      blob: new Uint8Array(131_072),
      commitment: new Uint8Array(48).fill(1),
      versionedHash: `0x01${'ab'.repeat(31)}`,
      cellProofs: Array.from({ length: 128 }, () => new Uint8Array(48).fill(2)),
    },
  ],
}
const gwei = 10n ** 9n

/** A node whose chain the test moves by hand; a block is made each second of the clock. */
class FakeNode implements SenderRpc {
  used = 7
  block = 100
  readonly sent: Uint8Array[] = []
  readonly receipts = new Map<Hash32, { status: 'success' | 'reverted'; l1BlockNumber: number }>()
  answers: (SendAnswer | 'unreachable')[] = []
  unreachable = 0

  nonce = async () => this.reach(this.used)
  blockNumber = async () => this.reach(this.block)
  market = { baseFee: 10n * gwei, priorityFee: gwei, blobBaseFee: 3n }
  prices = async () => this.market
  receipt = async (hash: Hash32) => this.receipts.get(hash) ?? null
  async send(raw: Uint8Array) {
    const answer = this.answers.shift() ?? 'taken'
    if (answer === 'unreachable') throw new L1Error('L1_UNREACHABLE', 'gone')
    this.sent.push(raw)
    return answer
  }
  private reach<Value>(value: Value): Value {
    if (this.unreachable > 0) {
      this.unreachable--
      throw new L1Error('L1_UNREACHABLE', 'gone')
    }
    return value
  }
}

function start({ feeCap = 10n ** 18n } = {}) {
  const node = new FakeNode()
  const clock = new VirtualClock()
  const sender = createL1TransactionSender({
    config: { chainId: 5, feeCap, stuckAfterBlocks: 3, maxBumps: 2, pollMs: 1_000, maxFailures: 3 },
    ports: { account, rpc: node, clock, logger: silentLogger },
  })
  const seconds = async (count: number) => {
    for (let i = 0; i < count; i++) {
      node.block++
      await clock.advance(1_000)
    }
  }
  return { node, clock, sender, seconds }
}

const feesOf = (raw: Uint8Array): L1Fees => {
  const { maxFeePerGas, maxPriorityFeePerGas } = parseTransaction(bytesToHex(raw) as `0x02${string}`)
  return { maxFeePerGas: maxFeePerGas!, maxPriorityFeePerGas: maxPriorityFeePerGas!, maxFeePerBlobGas: 0n }
}
const hashOf = async (fees: L1Fees, nonce = 7) =>
  (await signL1Transaction({ account, chainId: 5, nonce, fees, call })).hash
const firstFees: L1Fees = { maxFeePerGas: 21n * gwei, maxPriorityFeePerGas: gwei, maxFeePerBlobGas: 7n }

test('a transaction is signed as Ethereum reads it, with the fees of the market', async () => {
  const { node, sender, seconds } = start()
  const outcome = sender.send(call)
  await seconds(1)
  const serialized = bytesToHex(node.sent[0]!) as `0x02${string}`
  expect(parseTransaction(serialized)).toMatchObject({
    chainId: 5,
    nonce: 7,
    gas: 100_000n,
    data: '0x010203',
    to: call.to,
  })
  expect(feesOf(node.sent[0]!)).toMatchObject({ maxFeePerGas: 21n * gwei, maxPriorityFeePerGas: gwei })
  expect(await recoverTransactionAddress({ serializedTransaction: serialized })).toBe(account.address)
  const transactionHash = await hashOf(firstFees)
  node.receipts.set(transactionHash, { status: 'success', l1BlockNumber: 101 })
  await seconds(1)
  expect(await outcome).toEqual({ status: 'success', transactionHash, l1BlockNumber: 101 })
})

test('a stuck transaction is sent again with the same nonce and higher fees, and the first may still win', async () => {
  const { node, sender, seconds } = start()
  const outcome = sender.send(call)
  await seconds(6)
  expect(node.sent.length).toBe(2)
  const raised = raisedFees(firstFees, false)
  expect(feesOf(node.sent[1]!)).toMatchObject({ maxFeePerGas: raised.maxFeePerGas })
  node.receipts.set(await hashOf(firstFees), { status: 'reverted', l1BlockNumber: 106 })
  await seconds(1)
  expect(await outcome).toMatchObject({ status: 'reverted', l1BlockNumber: 106 })
})

test.each([
  { baseFee: gwei, told: 990n * gwei, offered: 5n * gwei },
  { baseFee: 40n * gwei, told: 990n * gwei, offered: 40n * gwei },
  { baseFee: gwei, told: 4n * gwei, offered: 4n * gwei },
])('a priority fee of $told is believed up to 5 gwei or the base fee, $baseFee', async ({ baseFee, told, offered }) => {
  const { node, sender, seconds } = start()
  node.market = { baseFee, priorityFee: told, blobBaseFee: 3n }
  void sender.send(call)
  await seconds(6)
  const first: L1Fees = {
    maxFeePerGas: 2n * baseFee + offered,
    maxPriorityFeePerGas: offered,
    maxFeePerBlobGas: 0n,
  }
  expect(node.sent.map(feesOf)).toEqual([first, { ...raisedFees(first, false), maxFeePerBlobGas: 0n }])
})

test.each([
  ['a call', call],
  ['blobs', blobCall],
])('fees are raised for %s where the market asks for no priority fee', async (_what, sent) => {
  const { node, sender, seconds } = start()
  node.market = { baseFee: 10n * gwei, priorityFee: 0n, blobBaseFee: 0n }
  const outcome = sender.send(sent)
  await seconds(12)
  expect(await outcome).toEqual({ status: 'pending' })
  expect(node.sent).toHaveLength(3)
  const tips = node.sent.map(raw => {
    const fields = fromRlp(raw.subarray(1), 'hex') as Hex[] | [Hex[]]
    return BigInt((Array.isArray(fields[0]) ? fields[0] : (fields as Hex[]))[2]!.padEnd(3, '0'))
  })
  expect(tips[0]).toBe(0n)
  expect(tips[1]).toBeGreaterThan(0n)
  expect(tips[2]).toBeGreaterThanOrEqual(sent === blobCall ? 2n * tips[1]! : tips[1]! + 1n)
})

test('fees of blob transactions double, others rise by a quarter', () => {
  const fees = { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n, maxFeePerBlobGas: 1n }
  expect(raisedFees(fees, true)).toEqual({ maxFeePerGas: 200n, maxPriorityFeePerGas: 20n, maxFeePerBlobGas: 2n })
  expect(raisedFees(fees, false)).toEqual({ maxFeePerGas: 126n, maxPriorityFeePerGas: 13n, maxFeePerBlobGas: 2n })
})

test('after the last raise it gives up; what follows with that nonce offers twice as much where that is still held', async () => {
  const { node, sender, seconds } = start()
  const outcome = sender.send(call)
  await seconds(12)
  expect(await outcome).toEqual({ status: 'pending' })
  expect(node.sent.length).toBe(3)
  const last = feesOf(node.sent[2]!)
  const stopping = new AbortController()
  node.answers = ['underpriced', 'taken']
  const next = sender.send(call, stopping.signal)
  await seconds(1)
  expect(feesOf(node.sent[3]!)).toEqual(feesOf(node.sent[0]!))
  expect(feesOf(node.sent[4]!).maxFeePerGas).toBe(2n * last.maxFeePerGas)
  stopping.abort()
  expect(await next).toEqual({ status: 'pending' })
})

test('a stuck transaction of another kind is brought in first, for more; the next attempt is for the call itself', async () => {
  const { node, sender, seconds } = start()
  const given = sender.send(call)
  await seconds(12)
  expect(await given).toEqual({ status: 'pending' })
  const last = feesOf(node.sent[2]!)
  node.answers = ['other-kind', 'taken']
  const outcome = sender.send(blobCall)
  await seconds(1)
  expect([node.sent[3]![0], node.sent[4]![0]]).toEqual([3, 2])
  const fees = { ...raisedFees(last, true), maxFeePerBlobGas: 0n }
  expect(feesOf(node.sent[4]!)).toEqual(fees)
  node.receipts.set(await hashOf(fees), { status: 'success', l1BlockNumber: 120 })
  await seconds(1)
  expect(await outcome).toEqual({ status: 'pending' })
  node.used = 8
  void sender.send(blobCall)
  await seconds(1)
  expect(node.sent[5]![0]).toBe(3)
})

test('what most refused is watched too: some pool may have had it mined', async () => {
  for (const [answers, wanted] of [
    [['underpriced', 'taken'], call],
    [['other-kind', 'taken'], blobCall],
  ] as const) {
    const { node, sender, seconds } = start()
    node.answers = [...answers]
    const outcome = sender.send(wanted)
    await seconds(1)
    expect(node.sent.length).toBe(2)
    const { hash: transactionHash } = await signL1Transaction({
      account,
      chainId: 5,
      nonce: 7,
      fees: firstFees,
      call: wanted,
    })
    node.receipts.set(transactionHash, { status: 'success', l1BlockNumber: 102 })
    await seconds(1)
    expect(await outcome).toEqual({ status: 'success', transactionHash, l1BlockNumber: 102 })
  }
})

test('an unknown transaction without blobs that keeps blobs out is replaced by a transfer of nothing', async () => {
  const { node, sender, seconds } = start()
  node.answers = ['other-kind', 'taken']
  const outcome = sender.send(blobCall)
  await seconds(1)
  const cancellation = bytesToHex(node.sent[1]!) as `0x02${string}`
  expect(parseTransaction(cancellation)).toMatchObject({ to: account.address.toLowerCase(), nonce: 7, gas: 21_000n })
  node.receipts.set(keccak256Hex(node.sent[1]!), { status: 'success', l1BlockNumber: 102 })
  await seconds(1)
  expect(await outcome).toEqual({ status: 'pending' })
  node.answers = ['other-kind']
  await expect(sender.send(call)).rejects.toMatchObject({ code: 'L1_REJECTED' })
})

test('what was lost after it was given up costs the market’s price again', async () => {
  const { node, sender, seconds } = start()
  for (let i = 0; i < 3; i++) {
    const outcome = sender.send(call)
    await seconds(15)
    expect(await outcome).toEqual({ status: 'pending' })
  }
  expect(node.sent.length).toBe(9)
  for (const i of [3, 6]) expect(feesOf(node.sent[i]!)).toEqual(feesOf(node.sent[0]!))
})

test('fees stay below a multiple of the market’s, however often a pool wants more', async () => {
  const { node, sender, seconds } = start()
  for (let i = 0; i < 10; i++) {
    node.answers = ['underpriced', 'taken', 'taken']
    const outcome = sender.send(call)
    await seconds(15)
    expect(await outcome).toEqual({ status: 'pending' })
  }
  const market = feesOf(node.sent[0]!).maxFeePerGas!
  for (const raw of node.sent) expect(feesOf(raw).maxFeePerGas! <= 8n * market).toBe(true)
})

test('a node that finds it underpriced gets more at once', async () => {
  const { node, sender, seconds } = start()
  node.answers = ['underpriced', 'taken']
  const stopping = new AbortController()
  const outcome = sender.send(call, stopping.signal)
  await seconds(1)
  expect(node.sent.length).toBe(2)
  stopping.abort()
  expect(await outcome).toEqual({ status: 'pending' })
})

test('another transaction that took the nonce ends the wait', async () => {
  const { node, sender, seconds } = start()
  const outcome = sender.send(call)
  await seconds(1)
  node.used = 8
  await seconds(5)
  expect(await outcome).toEqual({ status: 'pending' })
  expect(node.sent.length).toBe(1)
})

test('a nonce that a reorg frees again is not lost', async () => {
  const { node, sender, seconds } = start()
  const outcome = sender.send(call)
  await seconds(1)
  node.used = 8
  await seconds(1)
  node.used = 7
  await seconds(2)
  expect(node.sent.length).toBe(2)
  node.used = 8
  await seconds(1)
  node.receipts.set(await hashOf(firstFees), { status: 'success', l1BlockNumber: 105 })
  await seconds(1)
  expect(await outcome).toMatchObject({ status: 'success', l1BlockNumber: 105 })
})

test('a receipt that a node shows later than the nonce is waited for', async () => {
  const { node, sender, seconds } = start()
  const outcome = sender.send(call)
  await seconds(1)
  node.used = 8
  await seconds(1)
  node.receipts.set(await hashOf(firstFees), { status: 'success', l1BlockNumber: 101 })
  await seconds(1)
  expect(await outcome).toMatchObject({ status: 'success' })
})

test('a wait ends when L1 shows no new block for ten minutes, and the next transaction is not hindered', async () => {
  const { node, clock, sender, seconds } = start()
  let ended: unknown = null
  const outcome = sender.send(call).catch(error => (ended = error))
  await seconds(2)
  await clock.advance(595_000)
  expect(ended).toBeNull()
  await clock.advance(10_000)
  expect(ended).toMatchObject({ name: 'L1Error', code: 'L1_BAD_ANSWER', data: { newest: 102, nonce: 7 } })
  await outcome
  const next = sender.send(call)
  node.receipts.set(await hashOf(firstFees), { status: 'success', l1BlockNumber: 103 })
  await seconds(1)
  expect(await next).toMatchObject({ status: 'success' })
})

test('failures while waiting are borne up to a number, and the next transaction is not hindered', async () => {
  const { node, clock, sender, seconds } = start()
  const outcome = sender.send(call).catch(error => error)
  await seconds(1)
  node.unreachable = 3
  await clock.advance(20_000)
  node.receipts.set(await hashOf(firstFees), { status: 'success', l1BlockNumber: 101 })
  await clock.advance(10_000)
  expect(await outcome).toMatchObject({ status: 'success' })

  node.used = 8
  node.answers = ['unreachable']
  await expect(sender.send(call)).rejects.toMatchObject({ code: 'L1_UNREACHABLE' })
  const next = sender.send(call)
  node.receipts.set(await hashOf(firstFees, 8), { status: 'success', l1BlockNumber: 120 })
  await seconds(1)
  expect(await next).toMatchObject({ status: 'success', l1BlockNumber: 120 })
})

test('nothing is sent that would cost more than the fee cap, and no fee is raised above it', async () => {
  const cost = call.gasLimit * firstFees.maxFeePerGas
  const poor = start({ feeCap: cost - 1n })
  await expect(poor.sender.send(call)).rejects.toMatchObject({
    code: 'L1_ABOVE_FEE_CAP',
    data: { cost, feeCap: cost - 1n },
  })
  expect(poor.node.sent).toEqual([])
  const blobCost = 131_072n * firstFees.maxFeePerBlobGas
  await expect(start({ feeCap: cost + blobCost - 1n }).sender.send(blobCall)).rejects.toMatchObject({
    code: 'L1_ABOVE_FEE_CAP',
  })
  const { node, sender, seconds } = start({ feeCap: cost })
  const outcome = sender.send(call)
  await seconds(10)
  expect(await outcome).toEqual({ status: 'pending' })
  expect(node.sent.map(feesOf)).toMatchObject([{ maxFeePerGas: firstFees.maxFeePerGas }])
})

test('two transactions are sent one after the other', async () => {
  const { node, sender, seconds } = start()
  const first = sender.send(call)
  const second = sender.send(call)
  await seconds(1)
  expect(node.sent.length).toBe(1)
  node.receipts.set(await hashOf(firstFees), { status: 'success', l1BlockNumber: 101 })
  node.used = 8
  await seconds(1)
  await first
  await seconds(1)
  expect(node.sent.length).toBe(2)
  node.receipts.set(await hashOf(firstFees, 8), { status: 'success', l1BlockNumber: 102 })
  await seconds(1)
  expect(await second).toMatchObject({ l1BlockNumber: 102 })
})

test('a blob transaction is in the network form of EIP-7594; its hash is that of the body alone', async () => {
  const { raw, hash } = await signL1Transaction({ account, chainId: 5, nonce: 0, fees: firstFees, call: blobCall })
  expect(raw[0]).toBe(3)
  expect(raw.length).toBeGreaterThan(131_072 + 48 + 128 * 48)
  const bare = await signL1Transaction({
    account,
    chainId: 5,
    nonce: 0,
    fees: firstFees,
    call: { ...blobCall, blobs: [{ ...blobCall.blobs[0]!, blob: new Uint8Array(1), cellProofs: [] }] },
  })
  expect(bare.hash).toBe(hash)
})
