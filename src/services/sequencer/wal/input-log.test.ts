import { describe, expect, it } from 'vitest'
import type { Block } from '../../../base/protocol/block.js'
import { MemoryLog } from '../../../io/storage/memory-log.js'
import { childOf, genesis } from '../../../rules/blocks/blocks.fixture.js'
import { asVerified } from '../../../rules/consensus/verified.js'
import { InputLog } from './input-log.js'
import { decodeWalRecord, isInput, type LoggedInput } from './wal-record.js'

const block: Block = childOf(genesis)
const prepared: LoggedInput = { type: 'prepared', height: 1, round: 0, blockHash: block.hash }
const proposed = (round: number): LoggedInput => ({
  type: 'proposal',
  proposal: asVerified({
    height: 1,
    round,
    validRound: -1,
    blockHash: block.hash,
    proposer: 0,
    signature: new Uint8Array(96),
  }),
})
const timeout: LoggedInput = { type: 'timeout', height: 1, round: 0, step: 'propose' }

async function logOf(...entries: readonly (readonly [LoggedInput, Block?])[]) {
  const wal = new MemoryLog()
  const log = new InputLog(wal)
  await log.startHeight(1)
  for (const entry of entries) log.append(...entry)
  return { wal, log, records: (await wal.readAll()).map(decodeWalRecord).filter(isInput) }
}

describe('the log of inputs', () => {
  it('holds each input, and a block once, with the first that names it', async () => {
    const { records } = await logOf([timeout], [prepared, block], [proposed(0)], [proposed(1), block])
    expect(records.map(({ input }) => input.type)).toEqual(['timeout', 'prepared', 'proposal', 'proposal'])
    expect(records.map(record => record.block?.hash)).toEqual([undefined, block.hash, undefined, undefined])
    expect(records.every(({ height }) => height === 1)).toBe(true)
  })

  it('knows the blocks and proposals of the height in progress, those from before a restart too', async () => {
    const { log, records } = await logOf([proposed(2), block])
    expect(log.block(block.hash)).toEqual(block)
    expect(log.proposal(2, block.hash)?.round).toBe(2)
    expect(log.proposal(1, block.hash)).toBeUndefined()
    const wal = new MemoryLog()
    const restarted = new InputLog(wal)
    await restarted.startHeight(1, records)
    expect(restarted.proposal(2, block.hash)?.round).toBe(2)
    restarted.append(prepared)
    expect(
      (await wal.readAll())
        .map(decodeWalRecord)
        .filter(isInput)
        .map(record => record.block),
    ).toEqual([undefined])
    await restarted.startHeight(2)
    expect(restarted.block(block.hash)).toBeUndefined()
    expect(restarted.proposal(2, block.hash)).toBeUndefined()
  })

  it('begins anew at a new height once it has grown large, not before', async () => {
    const { wal, log } = await logOf([timeout])
    await log.startHeight(2)
    expect(wal.size()).toBeGreaterThan(0)
    const large = new Uint8Array(12 * 1024 * 1024)
    for (let i = 0; i < 3; i++) wal.append(large)
    await log.startHeight(3)
    expect(wal.size()).toBe(0)
  })

  it('keeps what it holds of the height in progress through restarts, however large it is', async () => {
    const { wal } = await logOf([proposed(0), block])
    const large = new Uint8Array(12 * 1024 * 1024)
    for (let i = 0; i < 3; i++) wal.append(large)
    const before = wal.size()
    const held = [decodeWalRecord((await wal.readAll())[0]!)].filter(isInput)
    const restarted = new InputLog(wal)
    await restarted.startHeight(1, held)
    expect(wal.size()).toBe(before)
    await restarted.startHeight(2)
    expect(wal.size()).toBe(0)
  })

  it('marks where a run begins and where it first signs, also in the file that takes the place of one that grew large', async () => {
    const wal = new MemoryLog()
    const log = new InputLog(wal)
    const marks = async () => (await wal.readAll()).filter(record => record.length < 1_000).map(decodeWalRecord)
    log.open(1)
    await log.startHeight(1)
    log.signs()
    log.signs()
    expect(await marks()).toEqual([
      { height: 1, mark: 'opened' },
      { height: 1, mark: 'signs' },
    ])
    const large = new Uint8Array(12 * 1024 * 1024)
    for (let i = 0; i < 3; i++) wal.append(large)
    await log.startHeight(2)
    expect(await marks()).toEqual([{ height: 2, mark: 'signs' }])
  })
})
