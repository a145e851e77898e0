import { describe, expect, it } from 'vitest'
import { zeroHash } from '../../../../base/primitives/hashes.js'
import type { Block } from '../../../../base/protocol/block.js'
import { MemoryStore } from '../../../storage/memory-store.js'
import type { BlockAttributes } from '../../execution-client.js'
import { type Genesis, genesisContext } from '../../genesis.js'
import { ChainEngine } from './chain-engine.js'
import { genesisBlock } from './genesis-block.js'

const genesis: Genesis = {
  chainId: 5,
  timestamp: 1_000,
  gasLimit: 30_000_000,
  l1OriginNumber: 0,
  l1OriginHash: zeroHash,
  alloc: { '0x00000000000000000000000000000000000000aa': { balance: 1n } },
}

function attributes(engine: ChainEngine, timestamp: number): BlockAttributes {
  const { hash, header } = engine.head
  return {
    parentHash: hash,
    height: header.number + 1,
    timestamp,
    feeRecipient: '0x00000000000000000000000000000000000000bb',
    prevRandao: zeroHash,
    gasLimit: genesis.gasLimit,
    context: genesisContext(genesis),
    withdrawals: [],
    transactions: [],
    onInvalidTransaction: 'fail',
  }
}

describe('ChainEngine', () => {
  it('refuses a store that holds another chain', async () => {
    const store = new MemoryStore()
    await ChainEngine.open({ store, genesis })
    await expect(ChainEngine.open({ store, genesis: { ...genesis, timestamp: 7 } })).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'GENESIS_MISMATCH',
      message: expect.stringContaining('the data directory holds a chain that begins with'),
    })
    await expect(ChainEngine.open({ store, genesis })).resolves.toBeDefined()
  })

  it('refuses a genesis that contradicts itself', async () => {
    const word = `0x${'00'.repeat(31)}01` as const
    for (const alloc of [
      { '0x12': { balance: 1n } },
      { [`0x${'12'.repeat(20)}`]: { balance: 1n, storage: { [word]: word } } },
    ])
      await expect(
        ChainEngine.open({ store: new MemoryStore(), genesis: { ...genesis, alloc } }),
      ).rejects.toMatchObject({
        code: 'GENESIS_INVALID',
      })
  })

  it('computes the same genesis whatever the order and case of its accounts', () => {
    const a = '0x00000000000000000000000000000000000000aa'
    const b = '0x00000000000000000000000000000000000000bb'
    const one = genesisBlock({ ...genesis, alloc: { [a]: { balance: 1n }, [b]: { balance: 2n } } })
    const two = genesisBlock({
      ...genesis,
      alloc: { [b.toUpperCase().replace('X', 'x')]: { balance: 2n }, [a]: { balance: 1n } },
    })
    expect(one.block.hash).toBe(two.block.hash)
    expect(genesisBlock({ ...genesis, alloc: { [a]: { balance: 1n } } }).block.hash).not.toBe(one.block.hash)
  })

  it('forgets the oldest of too many candidates of a height, and no others', async () => {
    const engine = await ChainEngine.open({ store: new MemoryStore(), genesis })
    const built: Block[] = []
    for (let i = 0; i < 20; i++) built.push((await engine.buildBlock(attributes(engine, 2_000 + i))).block)
    const choose = (i: number) =>
      engine.forkchoiceUpdated({ head: built[i]!.hash, safe: zeroHash, finalized: zeroHash })
    await expect(choose(3)).rejects.toMatchObject({ code: 'UNKNOWN_BLOCK' })
    expect((await choose(4))?.block.hash).toBe(built[4]!.hash)
    await expect(choose(19)).rejects.toMatchObject({ code: 'UNKNOWN_BLOCK' })
    expect(await engine.newPayload(built[4]!)).toEqual({ status: 'VALID' })
  })

  it('keeps a candidate that was handed in again longer than those before it', async () => {
    const engine = await ChainEngine.open({ store: new MemoryStore(), genesis })
    const build = async (i: number) => (await engine.buildBlock(attributes(engine, 2_000 + i))).block
    const first = await build(0)
    for (let i = 1; i < 16; i++) await build(i)
    expect(await engine.newPayload(first)).toEqual({ status: 'VALID' })
    for (let i = 16; i < 31; i++) await build(i)
    const change = await engine.forkchoiceUpdated({ head: first.hash, safe: zeroHash, finalized: zeroHash })
    expect(change?.block.hash).toBe(first.hash)
  })

  it('goes on after a task that failed', async () => {
    const engine = await ChainEngine.open({ store: new MemoryStore(), genesis })
    const wrong = engine.buildBlock({
      ...attributes(engine, 2_000),
      parentHash: `0x${'12'.repeat(32)}` as `0x${string}`,
    })
    const right = engine.buildBlock(attributes(engine, 2_000))
    await expect(wrong).rejects.toMatchObject({ code: 'UNKNOWN_PARENT' })
    await expect(right).resolves.toMatchObject({ skipped: [] })
  })
})
