import { describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes, type Hex, hexToBytes, uintToBytes } from '../../../../base/primitives/bytes.js'
import { type Address, zeroHash } from '../../../../base/primitives/hashes.js'
import { addressOf, signedTransfer, type TransferFields } from '../../../recovery/signed-transfer.fixture.js'
import { MemoryStore } from '../../../storage/memory-store.js'
import type { BlockAttributes } from '../../execution-client.js'
import { type Genesis, genesisContext } from '../../genesis.js'
import { ChainEngine } from './chain-engine.js'

const address = (byte: string) => `0x${byte.repeat(20)}` as Address
const [looper, caller, storer, blaker, keeper] = ['a1', 'a2', 'a3', 'a4', 'a5'].map(address) as [
  Address,
  Address,
  Address,
  Address,
  Address,
]
const call = (to: Address) => hexToBytes(`0x60006000600060006000${`73${to.slice(2)}`}5af150`)
// Its code never ends: JUMPDEST, PUSH0, JUMP.
const loopCode = hexToBytes('0x5b5f56')
// Writes slot 1, then calls the loop over and over, whatever comes of it.
const callCode = concatBytes(hexToBytes('0x60016001555b'), call(looper), hexToBytes('0x600556'))
const storeCode = hexToBytes('0x600260015500')
// Calls BLAKE2f with its call data.
const blakeCode = hexToBytes('0x365f5f375f5f365f60095afa5000')
// With value it writes 1 to transient slot 0 and loops in frames of its own, else it writes that slot and 1 to slot 0.
const keepCode = concatBytes(hexToBytes('0x34600c575f5c6001015f55005b60015f5d5b'), call(looper), hexToBytes('0x601156'))
const code = (bytes: Uint8Array) => ({ balance: 0n, code: bytesToHex(bytes) as Hex })
const genesis: Genesis = {
  chainId: 7,
  timestamp: 1_000,
  gasLimit: 30_000_000,
  l1OriginNumber: 0,
  l1OriginHash: zeroHash,
  alloc: {
    [looper]: code(loopCode),
    [caller]: code(callCode),
    [storer]: code(storeCode),
    [blaker]: code(blakeCode),
    [keeper]: code(keepCode),
    ...Object.fromEntries([0, 1, 2, 3].map(account => [addressOf(account), { balance: 10n ** 24n }])),
  },
}

/** A clock that moves at each look, so that whatever runs takes its time. */
async function open(msOfLook: number | ((look: number) => number) = 1) {
  let nowMs = 0
  let looks = 0
  const nowMsNow = () => {
    looks++
    nowMs += typeof msOfLook === 'number' ? msOfLook : msOfLook(looks)
    return nowMs
  }
  return ChainEngine.open({ store: new MemoryStore(), genesis, nowMs: nowMsNow })
}

const send = (fields: Partial<TransferFields> & { account: number }) =>
  signedTransfer({ nonce: 0, gasLimit: 10_000_000, value: 0n, fee: 10n ** 10n, ...fields })

function attributes(engine: ChainEngine, transactions: readonly Uint8Array[], timeLimitMs?: number): BlockAttributes {
  const { hash, header } = engine.head
  return {
    parentHash: hash,
    height: header.number + 1,
    timestamp: header.timestamp + 1,
    feeRecipient: address('fe'),
    prevRandao: zeroHash,
    gasLimit: genesis.gasLimit,
    context: genesisContext(genesis),
    withdrawals: [],
    transactions,
    onInvalidTransaction: 'skip',
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
  }
}

describe.each([
  ['loops', looper],
  ['loops in frames of its own', caller],
])('a transaction that %s', (_what, to) => {
  const slow = send({ account: 0, to })
  const [store, transfer] = [send({ account: 1, to: storer }), send({ account: 2, to: address('00') })]

  it('is left out of a block by name, and the block is as without it', async () => {
    const engine = await open()
    const { block, skipped } = await engine.buildBlock(attributes(engine, [store, slow, transfer], 1_000))
    expect(skipped).toMatchObject([{ reason: 'too-slow', detail: 'it takes longer than 500 ms' }])
    expect(block.transactions).toEqual([store, transfer])
    const other = await open()
    expect((await other.buildBlock(attributes(other, [store, transfer]))).block.hash).toBe(block.hash)
  })

  it('is named for its own time alone, and leaves half of the time to those after it', async () => {
    const engine = await open()
    const others = [1, 2].map(account => send({ account, to }))
    const { block, skipped } = await engine.buildBlock(attributes(engine, [slow, ...others, transfer], 1_000))
    expect(skipped.map(({ reason }) => reason)).toEqual(['too-slow', 'no-room', 'no-room'])
    expect(block.transactions).toEqual([transfer])
  })

  it('has all its gas where nothing measures the time', async () => {
    const engine = await open()
    const { block, skipped } = await engine.buildBlock(attributes(engine, [slow, store]))
    expect([block.transactions.length, skipped]).toEqual([2, []])
    expect(block.header.gasUsed).toBeGreaterThan(10_000_000)
  })

  it('says nothing of a block that somebody else built: in time it is valid', async () => {
    const builder = await open()
    const { block } = await builder.buildBlock(attributes(builder, [store, slow, transfer]))
    const engine = await open()
    expect(await engine.newPayload(block, [], 1_000)).toEqual({ status: 'TIMED_OUT' })
    // What comes next, system calls included, has its own time.
    const { block: next } = await engine.buildBlock(attributes(engine, [store], 1_000_000))
    expect(next.transactions).toEqual([store])
    expect(await engine.newPayload(block)).toEqual({ status: 'VALID' })
  })
})

describe('a transaction that spends its time in a precompile', () => {
  // BLAKE2f of 340,000 rounds: a tenth of a second in one piece.
  const blake2f = `0x${'00'.repeat(19)}09` as Address
  const input = concatBytes(uintToBytes(340_000, 4), new Uint8Array(209))
  const direct = send({ account: 0, to: blake2f, data: input })
  const inside = send({ account: 1, to: blaker, data: input })
  const transfer = send({ account: 2, to: address('00') })

  it('is left out by name before it takes that long, called straight or by a contract', async () => {
    const engine = await open(0.01)
    const limited = attributes(engine, [direct, transfer], 100)
    const { block, skipped } = await engine.buildBlock(limited)
    expect(skipped).toMatchObject([{ reason: 'too-slow' }])
    expect(block.transactions).toEqual([transfer])
    const other = await open(0.01)
    const { skipped: nested } = await other.buildBlock(attributes(other, [inside, transfer], 100))
    expect(nested).toMatchObject([{ reason: 'too-slow' }])
  })

  it('is in a block where there is time, which is not called wrong where there is none', async () => {
    const builder = await open(0.01)
    const { block, skipped } = await builder.buildBlock(attributes(builder, [direct, inside], 1_000))
    expect([block.transactions, skipped]).toEqual([[direct, inside], []])
    const engine = await open(0.01)
    expect(await engine.newPayload(block, [], 50)).toEqual({ status: 'TIMED_OUT' })
    expect(await engine.newPayload(block)).toEqual({ status: 'VALID' })
  })

  it('is left out too when it ended, but late', async () => {
    const sha256 = `0x${'00'.repeat(19)}02` as Address
    // The last look is after its end.
    const engine = await open(look => (look === 5 ? 1_000 : 1))
    const { block, skipped } = await engine.buildBlock(attributes(engine, [send({ account: 0, to: sha256 })], 1_000))
    expect(skipped).toMatchObject([{ reason: 'too-slow' }])
    expect(block.transactions).toEqual([])
  })
})

it('a transaction that is ended leaves the next one no transient storage', async () => {
  const slow = send({ account: 0, to: keeper, value: 1n })
  const reader = send({ account: 1, to: keeper })
  const engine = await open()
  const { block, skipped } = await engine.buildBlock(attributes(engine, [slow, reader], 1_000))
  expect(skipped).toMatchObject([{ reason: 'too-slow' }])
  expect(block.transactions).toEqual([reader])
  const other = await open()
  expect(await other.newPayload(block)).toEqual({ status: 'VALID' })
})
