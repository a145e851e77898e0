import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { headerHash } from '../../base/protocol/block-header.js'
import {
  advance,
  alice,
  attributesAfter,
  bob,
  carol,
  complianceGenesis,
  sign,
} from '../../io/execution/compliance-chain.js'
import { createInProcessExecution } from '../../io/execution/embedded/in-process-execution.js'
import { decodeAccount, encodeAccount } from '../../io/execution/embedded/state/account-record.js'
import { chainKeys } from '../../io/execution/embedded/store/chain-keys.js'
import type { BlockStateDiff } from '../../io/execution/execution-client.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { compareStateDiffs, type StateDiffJson } from './compare-state-diffs.js'

const canonical: Record<string, { address: `0x${string}`; code: `0x${string}` }> = JSON.parse(
  await readFile('contracts/artifacts/canonical.json', 'utf8'),
)
const genesis = complianceGenesis(
  Object.fromEntries(
    Object.values(canonical).map(({ address, code }) => [address.toLowerCase(), { balance: 0n, nonce: 1, code }]),
  ),
)

const asJson = (diff: BlockStateDiff | null): StateDiffJson =>
  JSON.parse(
    JSON.stringify(diff, (_, value) =>
      typeof value === 'bigint' || typeof value === 'number' ? `0x${value.toString(16)}` : value,
    ),
  )

describe('two nodes whose states differ', () => {
  it('find the account by the block that the one of them refuses', async () => {
    const honest = await createInProcessExecution({ store: new MemoryStore(), genesis })
    const store = new MemoryStore()
    const damaged = await createInProcessExecution({ store, genesis })
    // A disk that lies: bob has one wei more than the chain says.
    const bobs = decodeAccount(store.get(chainKeys.account(bob))!)
    await store.write([{ key: chainKeys.account(bob), value: encodeAccount({ ...bobs, balance: bobs.balance + 1n }) }])

    const harmless = await advance(honest, { transactions: [sign({ to: carol, value: 3n })] })
    expect(await damaged.newPayload(harmless)).toEqual({ status: 'VALID' })
    await damaged.forkchoiceUpdated({ head: harmless.hash, safe: harmless.hash, finalized: harmless.hash })

    const block = await advance(honest, {
      transactions: [sign({ nonce: 1, to: bob, value: 5n }), sign({ nonce: 2, to: carol, value: 1n })],
    })
    expect(await damaged.newPayload(block)).toMatchObject({
      status: 'INVALID',
      reason: expect.stringMatching(/^state root mismatch/),
    })
    const [mine, theirs] = [asJson(await damaged.stateDiffOf(block.hash)), asJson(await honest.stateDiffOf(block.hash))]
    expect(mine.claimedStateRoot).toBe(theirs.computedStateRoot)
    expect(mine.computedStateRoot).not.toBe(theirs.computedStateRoot)
    const right = 1_000n * 10n ** 18n + 5n
    expect(compareStateDiffs(mine, theirs)).toEqual([
      { address: bob, field: 'balance', mine: `0x${(right + 1n).toString(16)}`, theirs: `0x${right.toString(16)}` },
    ])
    expect(compareStateDiffs(theirs, theirs)).toEqual([])
  })

  it('keep the states of the last few refused blocks only', async () => {
    const client = await createInProcessExecution({ store: new MemoryStore(), genesis })
    const { block } = await client.buildBlock(attributesAfter(await client.head(), { transactions: [sign({})] }))
    const hashes = []
    for (let i = 0; i < 5; i++) {
      const header = { ...block.header, stateRoot: `0x${`0${i}`.repeat(32)}` as `0x${string}` }
      const wrong = { ...block, header, hash: headerHash(header) }
      hashes.push(wrong.hash)
      expect((await client.newPayload(wrong)).status).toBe('INVALID')
    }
    const kept = await Promise.all(hashes.map(hash => client.stateDiffOf(hash)))
    expect(kept.map(diff => diff !== null)).toEqual([false, true, true, true, true])
  })

  it('see accounts that one of them alone changed', () => {
    const account = { address: alice, nonce: '0x1', balance: '0x2', codeHash: '0x3', storageRoot: '0x4' }
    const diff = { blockHash: '0x', height: '0x1', claimedStateRoot: '0x', computedStateRoot: '0x', changed: '0x1' }
    expect(
      compareStateDiffs({ ...diff, accounts: [account] }, { ...diff, accounts: [] }).map(({ field, mine, theirs }) => [
        field,
        mine,
        theirs,
      ]),
    ).toEqual([
      ['nonce', '0x1', null],
      ['balance', '0x2', null],
      ['codeHash', '0x3', null],
      ['storageRoot', '0x4', null],
    ])
  })
})
