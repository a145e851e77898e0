import assert from 'node:assert/strict'
import { bytesToHex, type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import { type Address, zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import type { Block } from '../../base/protocol/block.js'
import { contextHash } from '../../base/protocol/block-context.js'
import { headerHash } from '../../base/protocol/block-header.js'
import { decodeTransaction } from '../../base/protocol/transaction.js'
import {
  advance,
  alice,
  attributesAfter,
  balanceOf,
  bob,
  carol,
  chainId,
  commit,
  complianceGenesis,
  ether,
  feeRecipient,
  keeperInit,
  keys,
  pauper,
  type SystemContracts,
  sign,
  tag,
  word,
} from './compliance-chain.js'
import type { ExecutionClient } from './execution-client.js'
import { type Genesis, genesisContext } from './genesis.js'

/** How the checks get clients: each call opens a new chain; `reopen` closes a client and opens the same chain again. */
export interface ComplianceTarget {
  open(genesis: Genesis): Promise<ExecutionClient>
  reopen(client: ExecutionClient): Promise<ExecutionClient>
}

/** One thing that any execution client must do; `run` throws when it does not. */
export interface ComplianceCheck {
  readonly name: string
  run(target: ComplianceTarget, systemContracts: SystemContracts): Promise<void>
}

type Body = (client: ExecutionClient, target: ComplianceTarget, system: SystemContracts) => Promise<void>

function check(name: string, body: Body): ComplianceCheck {
  return {
    name,
    async run(target, system) {
      const client = await target.open(complianceGenesis(system))
      try {
        await body(client, target, system)
      } finally {
        await client.close()
      }
    },
  }
}

const genesisAndTransfers: readonly ComplianceCheck[] = [
  check('begins with genesis, the same for the same network', async (client, target, system) => {
    const { hash, header } = await client.head()
    assert.equal(header.number, 0)
    assert.equal(hash, headerHash(header))
    assert.equal(header.parentBeaconBlockRoot, contextHash(genesisContext(complianceGenesis(system))))
    assert.equal(await balanceOf(client, alice), 1_000n * ether)
    const other = await target.open(complianceGenesis(system))
    assert.equal((await other.head()).hash, hash)
    await other.close()
  }),
  check('builds a block that another client finds valid, and makes it the head', async (client, target, system) => {
    const transactions = [
      sign({ value: ether }),
      sign({ nonce: 1, type: 0, value: 5n, to: pauper }),
      sign({
        key: keys[1]!,
        type: 1,
        to: carol,
        value: 7n,
        accessList: [{ address: bob, storageKeys: [] }],
        gasLimit: 30_000,
      }),
    ]
    const { block, skipped } = await client.buildBlock(attributesAfter(await client.head(), { transactions }))
    assert.equal(skipped.length, 0)
    assert.equal(block.transactions.length, 3)
    assert.equal(block.header.gasUsed, 21_000 * 2 + 23_400)
    const other = await target.open(complianceGenesis(system))
    assert.deepEqual(await other.newPayload(block), { status: 'VALID' })
    assert.deepEqual(await other.newPayload(block), { status: 'VALID' })
    const change = await commit(client, block.hash)
    assert.deepEqual(await commit(other, block.hash), change)
    assert.equal(change.block.hash, block.hash)
    const touched = change.touched.find(({ address }) => address === alice)
    assert.equal(touched?.nonce, 2)
    assert.deepEqual(await client.accounts([alice, pauper]), [
      { nonce: 2, balance: touched.balance, hasCode: false },
      { nonce: 0, balance: 6n, hasCode: false },
    ])
    assert.equal(await balanceOf(client, feeRecipient), BigInt(block.header.gasUsed) * 10n ** 9n + tipOfPriced(block))
    const receipt = (await other.request('eth_getTransactionReceipt', [decodeTransaction(transactions[2]!).hash])) as {
      gasUsed: string
      status: string
    }
    assert.equal(receipt.gasUsed, '0x5b68')
    assert.equal(receipt.status, '0x1')
    await other.close()
  }),
  check('credits withdrawals in gwei', async client => {
    const withdrawals = [
      { index: 0, validatorIndex: 0, address: pauper, amount: 3n },
      { index: 1, validatorIndex: 1, address: feeRecipient, amount: 4n },
    ]
    await advance(client, { withdrawals })
    assert.equal(await balanceOf(client, pauper), 3_000_000_001n)
    assert.equal(await balanceOf(client, feeRecipient), 4_000_000_000n)
  }),
]

/** What the transactions of types 0 and 1 tip beyond one gwei: they offer all of their gas price. */
function tipOfPriced({ header }: Block): bigint {
  const beyond = 10n ** 11n - header.baseFeePerGas - 10n ** 9n
  return beyond * (21_000n + 23_400n)
}

const refusals: readonly ComplianceCheck[] = [
  check('leaves out what cannot execute, each with its reason', async client => {
    const blob = Uint8Array.of(3, 0xc0)
    const transactions = [
      sign({ nonce: 1 }),
      sign({ value: 2_000n * ether }),
      sign({ maxFeePerGas: 1n, maxPriorityFeePerGas: 0n }),
      sign({ gasLimit: 20_999 }),
      sign({ gasLimit: 16_777_217 }),
      blob,
      sign({}),
      sign({}),
    ]
    const { block, skipped } = await client.buildBlock(
      attributesAfter(await client.head(), { transactions, onInvalidTransaction: 'skip' }),
    )
    assert.equal(block.transactions.length, 1)
    assert.deepEqual(
      skipped.map(({ reason }) => reason),
      ['nonce-too-high', 'insufficient-funds', 'fee-too-low', 'invalid', 'invalid', 'invalid', 'nonce-too-low'],
    )
    assert.match(skipped[5]!.detail, /blob transactions are not accepted/)
  }),
  check('leaves out what has no room, and fills up with what has', async client => {
    const loop: Hex = '0x5b5f56'
    const burn = (nonce: number, gasLimit: number) => sign({ nonce, to: null, data: hexToBytes(loop), gasLimit })
    const transactions = [burn(0, 16_000_000), burn(1, 16_000_000), burn(2, 60_000), sign({ key: keys[1]!, to: carol })]
    const { block, skipped } = await client.buildBlock(
      attributesAfter(await client.head(), { transactions, onInvalidTransaction: 'skip' }),
    )
    assert.equal(block.transactions.length, 2)
    assert.equal(block.header.gasUsed, 16_021_000)
    assert.deepEqual(
      skipped.map(({ reason }) => reason),
      ['no-room', 'no-room'],
    )
  }),
  check('fails on the first transaction that cannot execute, when asked to', async client => {
    const attributes = attributesAfter(await client.head(), { transactions: [sign({}), sign({ nonce: 7 })] })
    await assert.rejects(client.buildBlock(attributes), { code: 'TRANSACTION_REFUSED' })
  }),
  check('builds on no parent that it does not know, and no block against the rules', async client => {
    const head = await client.head()
    const unknown = attributesAfter(head, { parentHash: `0x${'77'.repeat(32)}` as Hex })
    await assert.rejects(client.buildBlock(unknown), { code: 'UNKNOWN_PARENT' })
    for (const wrong of [{ height: 2 }, { timestamp: head.header.timestamp - 1 }, { gasLimit: 29_000_000 }])
      await assert.rejects(client.buildBlock(attributesAfter(head, wrong)), { code: 'INVALID_ATTRIBUTES' })
  }),
  check('lets the gas limit move by less than a 1024th of the parent’s, and no further', async client => {
    for (const step of [29_295, -29_323]) {
      const head = await client.head()
      const { gasLimit } = head.header
      const bound = Math.floor(gasLimit / 1_024)
      assert.ok(Math.abs(step) < bound)
      for (const beyond of [bound, -bound])
        await assert.rejects(client.buildBlock(attributesAfter(head, { gasLimit: gasLimit + beyond })), {
          code: 'INVALID_ATTRIBUTES',
        })
      const block = await advance(client, { gasLimit: gasLimit + step })
      assert.equal(block.header.gasLimit, gasLimit + step)
    }
  }),
  check('finds a block invalid for anything that its header gets wrong, and says what', async client => {
    const { block } = await client.buildBlock(
      attributesAfter(await client.head(), { transactions: [sign({ value: 1n })] }),
    )
    const wrong: Hex = `0x${'99'.repeat(32)}`
    const { header } = block
    const cases = [
      { change: { stateRoot: wrong }, reason: /^state root mismatch: header 0x99.*, computed 0x/ },
      { change: { receiptsRoot: wrong }, reason: /^receipts root mismatch/ },
      { change: { transactionsRoot: wrong }, reason: /^transactions root mismatch/ },
      { change: { withdrawalsRoot: wrong }, reason: /^withdrawals root mismatch/ },
      { change: { requestsHash: wrong }, reason: /^requests hash mismatch/ },
      { change: { parentBeaconBlockRoot: wrong }, reason: /^context hash mismatch/ },
      { change: { logsBloom: `0x${'01'.repeat(256)}` as Hex }, reason: /^logs bloom mismatch/ },
      { change: { gasUsed: 21_001 }, reason: /^gas used mismatch/ },
      { change: { gasLimit: 31_000_000 }, reason: /^gas limit 31000000 must be/ },
      { change: { baseFeePerGas: header.baseFeePerGas + 1n }, reason: /^base fee mismatch/ },
      { change: { number: 2 }, reason: /^number mismatch/ },
      { change: { timestamp: 1 }, reason: /^timestamp 1 is before/ },
      { change: { feeRecipient: bob }, reason: /^state root mismatch/ },
    ]
    for (const { change, reason } of cases) {
      const forged = { ...header, ...change }
      const status = await client.newPayload({ ...block, header: forged, hash: headerHash(forged) })
      assert.equal(status.status, 'INVALID', JSON.stringify(Object.keys(change)))
      assert.match(status.reason, reason)
    }
    const named = await client.newPayload({ ...block, hash: wrong })
    assert.equal(named.status, 'INVALID')
    const orphan = { ...header, parentHash: wrong }
    assert.deepEqual(await client.newPayload({ ...block, header: orphan, hash: headerHash(orphan) }), {
      status: 'SYNCING',
    })
  }),
]

const choice: readonly ComplianceCheck[] = [
  check('keeps rival candidates and chains of them, and drops what the head leaves behind', async client => {
    const head = await client.head()
    const build = (parent: Pick<Block, 'hash' | 'header'>, nonce: number, value: bigint) =>
      client.buildBlock(attributesAfter(parent, { transactions: [sign({ nonce, value })] }))
    const first = (await build(head, 0, 1n)).block
    const rival = (await build(head, 0, 2n)).block
    const second = (await build(first, 1, 3n)).block
    const third = (await build(second, 2, 4n)).block
    const change = await commit(client, second.hash)
    assert.equal(change.block.hash, second.hash)
    assert.equal(change.touched.find(({ address }) => address === alice)?.nonce, 2)
    assert.equal(await balanceOf(client, bob), 1_000n * ether + 4n)
    assert.equal((await client.blockAt(1))?.hash, first.hash)
    assert.deepEqual(await client.contextAt(1), first.context)
    assert.equal(await client.contextAt(1_000), null)
    await assert.rejects(client.forkchoiceUpdated({ head: rival.hash, safe: zeroHash, finalized: zeroHash }), {
      code: 'UNKNOWN_BLOCK',
    })
    await commit(client, third.hash)
    assert.equal(await balanceOf(client, bob), 1_000n * ether + 8n)
    assert.equal(await client.blockByHash(rival.hash), null)
  }),
  check('labels blocks safe and finalized without moving the head, and keeps the labels', async (client, target) => {
    assert.deepEqual(await client.labels(), { safe: 0, finalized: 0 })
    const one = await advance(client)
    const two = await advance(client)
    assert.equal(await client.forkchoiceUpdated({ head: two.hash, safe: one.hash, finalized: zeroHash }), null)
    const labelled = async (name: string) =>
      ((await client.request('eth_getBlockByNumber', [name, false])) as { hash: string }).hash
    assert.equal(await labelled('latest'), two.hash)
    assert.equal(await labelled('safe'), one.hash)
    assert.equal(await labelled('finalized'), (await client.blockAt(0))?.hash)
    const stranger: Hex = `0x${'55'.repeat(32)}`
    await assert.rejects(client.forkchoiceUpdated({ head: two.hash, safe: stranger, finalized: zeroHash }), {
      code: 'UNKNOWN_BLOCK',
    })
    const again = await target.reopen(client)
    try {
      assert.deepEqual(await again.labels(), { safe: 1, finalized: 0 })
    } finally {
      await again.close()
    }
  }),
  check('holds everything when it is opened again', async (client, target) => {
    const block = await advance(client, { transactions: [sign({ value: 9n })] })
    const again = await target.reopen(client)
    try {
      assert.equal((await again.head()).hash, block.hash)
      assert.deepEqual(await again.blockAt(1), block)
      assert.deepEqual(await again.blockByHash(block.hash), block)
      assert.equal(await again.stateRootAt(1), block.header.stateRoot)
      assert.equal(await balanceOf(again, bob), 1_000n * ether + 9n)
      await advance(again, { transactions: [sign({ nonce: 1, value: 1n })] })
      assert.equal(await balanceOf(again, bob), 1_000n * ether + 10n)
    } finally {
      await again.close()
    }
  }),
]

const contracts: readonly ComplianceCheck[] = [
  check('runs contracts: creation, storage, logs, reverts, calls, and reads of any height', async client => {
    const created = await advance(client, {
      transactions: [sign({ to: null, data: hexToBytes(keeperInit), gasLimit: 200_000 })],
    })
    const hash = decodeTransaction(created.transactions[0]!).hash
    const { contractAddress: contract } = (await client.request('eth_getTransactionReceipt', [hash])) as {
      contractAddress: Address
    }
    const store = (nonce: number, value: number) => sign({ nonce, to: contract, data: word(value), gasLimit: 100_000 })
    const { block } = await client.buildBlock(attributesAfter(created, { transactions: [store(1, 42), store(2, 0)] }))
    const change = await commit(client, block.hash)
    const logs = change.logs as { address: string; topics: string[]; data: string; logIndex: string }[]
    assert.equal(logs.length, 1)
    assert.equal(logs[0]!.address, contract)
    assert.deepEqual(logs[0]!.topics, [bytesToHex(word(0xaa))])
    assert.equal(logs[0]!.data, bytesToHex(word(42)))
    assert.deepEqual(await client.request('eth_getLogs', [{ blockHash: block.hash }]), logs)
    const reverted = (await client.request('eth_getTransactionReceipt', [
      decodeTransaction(block.transactions[1]!).hash,
    ])) as {
      status: string
    }
    assert.equal(reverted.status, '0x0')
    assert.equal(await client.request('eth_call', [{ to: contract }, 'latest']), bytesToHex(word(42)))
    assert.equal(await client.request('eth_call', [{ to: contract }, '0x1']), bytesToHex(word(0)))
    assert.equal(await client.storageAt(contract, bytesToHex(word(0)), 2), bytesToHex(word(42)))
    assert.equal(await client.storageAt(contract, bytesToHex(word(0)), 1), bytesToHex(word(0)))
    assert.deepEqual(
      (await client.accounts([contract])).map(({ hasCode, nonce }) => ({ hasCode, nonce })),
      [{ hasCode: true, nonce: 1 }],
    )
    await assert.rejects(client.request('eth_call', [{ to: contract, data: bytesToHex(word(0)) }, 'latest']), {
      name: 'ExecutionRpcError',
    })
  }),
  check('delegates an account to code (EIP-7702)', async client => {
    const created = await advance(client, {
      transactions: [sign({ to: null, data: hexToBytes(keeperInit), gasLimit: 200_000 })],
    })
    const { contractAddress: contract } = (await client.request('eth_getTransactionReceipt', [
      decodeTransaction(created.transactions[0]!).hash,
    ])) as { contractAddress: Address }
    const authorizations = [{ chainId, address: contract, nonce: 0, authorityKey: keys[2]! }]
    await advance(client, {
      transactions: [sign({ nonce: 1, type: 4, to: carol, data: word(7), gasLimit: 200_000, authorizations })],
    })
    assert.equal(await client.storageAt(carol, bytesToHex(word(0)), 2), bytesToHex(word(7)))
    assert.deepEqual(await client.accounts([carol]), [{ nonce: 1, balance: 1_000n * ether, hasCode: false }])
    assert.equal(await client.request('eth_getCode', [carol, 'latest']), `0xef0100${contract.slice(2)}`)
  }),
  check('refunds for the authority of a delegation only when it exists (EIP-7702)', async client => {
    const authorize = (authorityKey: Uint8Array) => [{ chainId, address: zeroAddress, nonce: 0, authorityKey }]
    const draft = { type: 4, gasLimit: 100_000 } as const
    const fresh = await advance(client, { transactions: [sign({ ...draft, authorizations: authorize(word(99)) })] })
    assert.equal(fresh.header.gasUsed, 46_000)
    const existing = await advance(client, {
      transactions: [sign({ ...draft, nonce: 1, authorizations: authorize(keys[2]!) })],
    })
    assert.equal(existing.header.gasUsed, 46_000 - 46_000 / 5)
  }),
  check('keeps block contexts and hashes in the system contracts (EIP-4788, EIP-2935)', async client => {
    const block = await advance(client)
    const next = await advance(client)
    const ask = (to: Address, value: number) =>
      client.request('eth_call', [{ to, data: bytesToHex(word(value)) }, 'latest'])
    const roots: Address = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'
    const hashes: Address = '0x0000f90827f1c53a10cb7a02335b175320002935'
    assert.equal(await ask(roots, next.header.timestamp), next.header.parentBeaconBlockRoot)
    assert.equal(await ask(roots, block.header.timestamp), block.header.parentBeaconBlockRoot)
    assert.equal(await ask(hashes, 1), block.hash)
  }),
  check('tells which accounts a block changed, of the chain or refused for its root', async client => {
    const draft = { transactions: [sign({ to: carol, value: 5n })] }
    const block = await advance(client, draft)
    await advance(client)
    const diff = await client.stateDiffOf(block.hash)
    assert(diff !== null)
    assert.equal(diff.computedStateRoot, block.header.stateRoot)
    assert.equal(diff.claimedStateRoot, block.header.stateRoot)
    assert.equal(diff.changed, diff.accounts.length)
    const paid = diff.accounts.find(({ address }) => address === carol)
    assert.deepEqual([paid?.nonce, paid?.balance], [0, 1_000n * ether + 5n])
    assert.equal(diff.accounts.find(({ address }) => address === alice)?.nonce, 1)
    assert(!diff.accounts.some(({ address }) => address === bob))
    assert.equal(await client.stateDiffOf(zeroHash), null)
    assert.equal(await client.stateDiffOf((await client.blockAt(0))!.hash), null)

    const next = attributesAfter(await client.head(), { transactions: [sign({ nonce: 1, to: bob, value: 7n })] })
    const { block: right } = await client.buildBlock(next)
    const header = { ...right.header, stateRoot: `0x${'99'.repeat(32)}` as Hex }
    const wrong = { ...right, header, hash: headerHash(header) }
    assert.equal((await client.newPayload(wrong)).status, 'INVALID')
    const refused = await client.stateDiffOf(wrong.hash)
    assert.equal(refused?.claimedStateRoot, header.stateRoot)
    assert.equal(refused?.computedStateRoot, right.header.stateRoot)
    await commit(client, right.hash)
    assert.deepEqual((await client.stateDiffOf(right.hash))?.accounts, refused?.accounts)
  }),
  check('answers each query at the newest head', async client => {
    for (let height = 1; height <= 20; height++) {
      await advance(client, { transactions: [sign({ nonce: height - 1, value: 1n })] })
      const [number, balance, accounts] = await Promise.all([
        client.request('eth_blockNumber', []),
        balanceOf(client, bob),
        client.accounts([bob, zeroAddress]),
      ])
      assert.equal(number, tag(height))
      assert.equal(balance, 1_000n * ether + BigInt(height))
      assert.equal(accounts[0]!.balance, balance)
    }
  }),
]

/** What every ExecutionClient is held to. */
export const executionChecks: readonly ComplianceCheck[] = [
  ...genesisAndTransfers,
  ...refusals,
  ...choice,
  ...contracts,
]
