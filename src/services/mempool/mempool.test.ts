import { afterEach, describe, expect, it } from 'vitest'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import type { Address } from '../../base/primitives/hashes.js'
import type { AccountState } from '../../io/execution/execution-client.js'
import { createInlineRecovery } from '../../io/recovery/inline-recovery.js'
import { RecoveryError } from '../../io/recovery/sender-recovery.js'
import { addressOf } from '../../io/recovery/signed-transfer.fixture.js'
import { MemoryLog } from '../../io/storage/memory-log.js'
import { batchOf, closeAll, headOf, open, raw, rich, sequencers, settle } from './mempool.fixture.js'
import type { MempoolPorts } from './mempool.js'
import { decodeTransactionBatch } from './transaction-batch.js'

afterEach(closeAll)

describe('submission over RPC', () => {
  it('answers with the hash once the transaction is pooled and durable', async () => {
    const { mempool, journal } = await open()
    expect(await mempool.addRaw(raw(0))).toEqual({ ok: true, value: keccak256Hex(raw(0)) })
    expect(mempool.status()).toEqual({ pending: 1, queued: 0 })
    journal.crash()
    journal.reopen()
    expect(await journal.readAll()).toEqual([raw(0)])
  })

  it.each<[string, Uint8Array, string]>([
    ['garbage', Uint8Array.of(1, 2, 3), 'RLP'],
    ['a blob transaction', Uint8Array.of(3, 0xc0), 'transaction type not supported'],
    ['a giant', new Uint8Array(131_073), 'oversized data: transaction size 131073, limit 131072'],
    ['another chain', raw(0, { chainId: 1n }), 'invalid chain id for signer: have 1 want 7'],
    ['too little gas', raw(0, { gasLimit: 20_000 }), 'intrinsic gas too low: gas 20000, minimum needed 21000'],
    ['too much gas', raw(0, { gasLimit: 30_000_001 }), 'exceeds block gas limit'],
    ['no funds', raw(0, { value: 10n ** 30n }), 'insufficient funds for gas * price + value: balance'],
    ['a tip above the fee', raw(0, { tip: 101n }), 'max priority fee per gas higher than max fee per gas'],
  ])('refuses %s with the text of geth', async (_what, transaction, text) => {
    const { mempool } = await open()
    const result = await mempool.addRaw(transaction)
    expect(result).toMatchObject({ ok: false, error: { code: -32_000 } })
    expect(result.ok || result.error.message).toContain(text)
  })

  it('gives up what has waited for a nonce for three hours, and says so', async () => {
    const { mempool, clock } = await open()
    await mempool.addRaw(raw(0))
    await mempool.addRaw(raw(2))
    await clock.advance(3 * 3_600_000 - 60_000)
    expect(mempool.status()).toEqual({ pending: 1, queued: 1 })
    await clock.advance(120_000)
    expect(mempool.status()).toEqual({ pending: 1, queued: 0 })
    expect(mempool.fate(keccak256Hex(raw(2)))).toEqual({
      place: 'dropped',
      sentence: 'It waited too long for an earlier nonce.',
    })
  })

  it('admits concurrent calls in one recovery, one reading of accounts and one sync', async () => {
    const calls = { recover: 0, accounts: 0, sync: 0 }
    const inline = createInlineRecovery()
    const log = new MemoryLog()
    const sync = log.sync.bind(log)
    log.sync = () => {
      calls.sync++
      return sync()
    }
    const { mempool } = await open({
      ports: {
        journal: log,
        recovery: {
          recover: transactions => {
            calls.recover++
            return inline.recover(transactions)
          },
        },
        accounts: {
          accounts: async addresses => {
            calls.accounts++
            return addresses.map(() => rich)
          },
        },
      },
    })
    const results = await mempool.addMany(Array.from({ length: 100 }, (_, account) => raw(0, { account })))
    expect(results.every(result => result.ok)).toBe(true)
    expect(calls).toEqual({ recover: 1, accounts: 1, sync: 1 })
    await mempool.addRaw(raw(1))
    expect(calls).toEqual({ recover: 2, accounts: 1, sync: 2 })
  })

  it('keeps calls of one interval together under load', async () => {
    const sizes: number[] = []
    const inline = createInlineRecovery()
    const recovery: MempoolPorts['recovery'] = {
      recover: transactions => {
        sizes.push(transactions.length)
        return inline.recover(transactions)
      },
    }
    const { mempool, clock } = await open({ config: { coalesceMs: 5 }, ports: { recovery } })
    await mempool.addRaw(raw(0))
    const later = [1, 2, 3].map(async nonce => {
      const answer = mempool.addRaw(raw(nonce))
      await settle()
      return answer
    })
    await settle()
    expect(sizes).toEqual([1])
    await clock.advance(5)
    await Promise.all(later)
    expect(sizes).toEqual([1, 3])
  })

  it('tells a caller when the store fails', async () => {
    const journal = new MemoryLog()
    journal.sync = async () => {
      throw new RecoveryError('CLOSED', 'the disk is gone')
    }
    const { mempool } = await open({ ports: { journal } })
    expect(await mempool.addRaw(raw(0))).toMatchObject({ ok: false, error: { code: -32_603 } })
  })

  it('tells a caller when recovery or the state fails, and goes on', async () => {
    let isBroken = true
    const accounts = {
      accounts: async (addresses: readonly Address[]) => {
        if (isBroken) throw new RecoveryError('WORKER_FAILED', 'gone')
        return addresses.map(() => rich)
      },
    }
    const { mempool } = await open({ ports: { accounts } })
    expect(await mempool.addRaw(raw(0))).toMatchObject({ ok: false, error: { code: -32_603 } })
    isBroken = false
    expect(await mempool.addRaw(raw(0))).toMatchObject({ ok: true })
  })

  it('bounds what waits', async () => {
    const { mempool } = await open({ config: { maxUnprocessedBytes: 300 } })
    const results = await mempool.addMany([0, 1, 2, 3].map(nonce => raw(nonce)))
    expect(results.map(result => result.ok)).toEqual([true, true, false, false])
    expect(await mempool.addRaw(raw(2))).toMatchObject({ ok: true })
  })
})

describe('restart', () => {
  it('has again what it accepted, without what was included, and shares it', async () => {
    const first = await open()
    await first.mempool.addMany([0, 1, 2].map(nonce => raw(nonce)))
    const gossiped = raw(0, { account: 1 })
    first.network.deliver(sequencers[0]!, batchOf([gossiped]))
    await settle()
    expect(first.mempool.status().pending).toBe(4)
    first.journal.crash()
    first.journal.reopen()
    const accounts = { accounts: async (addresses: readonly Address[]) => addresses.map(() => ({ ...rich, nonce: 1 })) }
    const second = await open({ ports: { journal: first.journal, accounts } })
    expect(second.mempool.contentFrom(addressOf(0)).pending.map(({ nonce }) => nonce)).toEqual([1, 2])
    expect(await first.journal.readAll()).toEqual([raw(1), raw(2)])
    second.network.connect(sequencers[0]!)
    expect(second.network.sent.map(({ message }) => decodeTransactionBatch(message).transactions)).toEqual([
      [raw(1), raw(2)],
    ])
  })

  it('loses nothing after a fee bump, however often', async () => {
    const first = await open()
    await first.mempool.addMany(Array.from({ length: 200 }, (_, nonce) => raw(nonce)))
    expect(await first.mempool.addRaw(raw(0, { fee: 200n, tip: 20n }))).toMatchObject({ ok: true })
    const { journal } = first
    journal.append(Uint8Array.of(1, 2, 3))
    await journal.sync()
    for (let restart = 0; restart < 3; restart++) {
      journal.crash()
      journal.reopen()
      const { mempool } = await open({ ports: { journal } })
      expect(mempool.status()).toEqual({ pending: 200, queued: 0 })
      expect(await journal.readAll()).toHaveLength(200)
    }
  })

  const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => raw(first + i))
  it.each([
    ['behind a transaction of a peer', from(0, 1), [from(1, 199)]],
    ['beyond those that may be pending', [], [from(0, 199), from(200, 64), from(199, 1)]],
  ])('loses nothing %s, whatever the limits of an account', async (_what, gossiped, parts) => {
    const first = await open()
    first.network.deliver(sequencers[0]!, batchOf(gossiped))
    await settle()
    for (const part of parts) expect((await first.mempool.addMany(part)).every(result => result.ok)).toBe(true)
    const { journal } = first
    for (let restart = 0; restart < 2; restart++) {
      const { mempool } = await open({ ports: { journal } })
      const { pending, queued } = mempool.status()
      expect(pending + queued).toBe(parts.flat().length)
    }
  })

  it('rewrites the journal when it grows, keeping what is pooled', async () => {
    const { mempool, journal } = await open({ config: { maxJournalBytes: 400 } })
    for (let nonce = 0; nonce < 12; nonce++) {
      await mempool.addRaw(raw(nonce))
      mempool.onHead(headOf([{ address: addressOf(0), ...rich, nonce }]))
      expect(journal.size()).toBeLessThan(800)
    }
    const kept = await journal.readAll()
    expect(kept.map(bytes => Buffer.from(bytes).toString('hex'))).toContain(Buffer.from(raw(11)).toString('hex'))
  })
})

describe('events and views', () => {
  it('wakes the proposer when something becomes executable at the base fee', async () => {
    const { mempool } = await open({ config: { baseFeePerGas: 100n } })
    let wakes = 0
    mempool.onExecutable(() => wakes++)
    await mempool.addRaw(raw(1))
    expect([wakes, mempool.hasExecutable()]).toEqual([0, false])
    await mempool.addRaw(raw(0, { fee: 99n }))
    expect([wakes, mempool.hasExecutable(), mempool.hasExecutable(99n)]).toEqual([0, false, true])
    await mempool.addRaw(raw(0, { account: 1 }))
    expect([wakes, mempool.hasExecutable()]).toEqual([1, true])
    await mempool.addRaw(raw(0, { account: 2 }))
    expect(wakes).toBe(1)
    mempool.onHead(
      headOf(
        [1, 2].map(account => ({ address: addressOf(account), ...rich, nonce: 1 })),
        100n,
      ),
    )
    expect(mempool.hasExecutable()).toBe(false)
    mempool.onHead(headOf([], 99n))
    expect([wakes, mempool.hasExecutable()]).toEqual([2, true])
  })

  it('announces what becomes pending, once', async () => {
    const { mempool } = await open()
    const seen: string[] = []
    const stop = mempool.onPending(transactions => seen.push(...transactions.map(({ hash }) => hash)))
    await mempool.addRaw(raw(1))
    expect(seen).toEqual([])
    await mempool.addRaw(raw(0))
    expect(seen).toEqual([keccak256Hex(raw(0)), keccak256Hex(raw(1))])
    stop()
    await mempool.addRaw(raw(2))
    expect(seen).toHaveLength(2)
  })

  it('shows content, next nonce, senders and summaries', async () => {
    const { mempool } = await open()
    await mempool.addMany([raw(0), raw(2, { value: 5n })])
    expect(await mempool.pendingNonce(addressOf(0))).toBe(1)
    expect(await mempool.pendingNonce(addressOf(5))).toBe(0)
    const hash = keccak256Hex(raw(0))
    expect(mempool.transaction(hash)).toMatchObject({ raw: raw(0), sender: addressOf(0), nonce: 0 })
    const content = mempool.content().get(addressOf(0))
    expect(content?.pending.map(({ nonce }) => nonce)).toEqual([0])
    expect(content?.queued.map(({ nonce }) => nonce)).toEqual([2])
    const to = `0x${'ab'.repeat(20)}`
    expect(mempool.inspect().get(addressOf(0))?.queued.get(2)).toBe(`${to}: 5 wei + 21000 gas × 100 wei`)
    mempool.onHead(headOf([{ address: addressOf(0), ...rich, nonce: 1 }]))
    expect(mempool.transaction(hash)).toBeNull()
    expect(mempool.sendersOf([raw(0), raw(7), raw(2, { value: 5n })])).toEqual([addressOf(0), null, addressOf(0)])
  })

  it('trusts a block more than an answer that was asked before it', async () => {
    let answer: (states: AccountState[]) => void = () => {}
    const accounts = { accounts: () => new Promise<AccountState[]>(resolve => (answer = resolve)) }
    const { mempool } = await open({ ports: { accounts } })
    const result = mempool.addRaw(raw(0))
    await settle()
    mempool.onHead(headOf([{ address: addressOf(0), ...rich, nonce: 1 }]))
    answer([rich])
    expect(await result).toMatchObject({ ok: false, error: { message: 'nonce too low: next nonce 1, tx nonce 0' } })
  })

  it('forgets no sender of a batch that waits for the states of others', async () => {
    let gate = Promise.resolve()
    let answer = () => {}
    const accounts = {
      accounts: async (addresses: readonly Address[]) => {
        await gate
        return addresses.map(() => rich)
      },
    }
    const { mempool } = await open({ config: { maxIdleAccounts: 2 }, ports: { accounts } })
    const include = (...included: number[]) =>
      mempool.onHead(headOf(included.map(account => ({ address: addressOf(account), ...rich, nonce: 1 }))))
    await mempool.addMany([0, 1, 2].map(account => raw(0, { account })))
    include(0, 1)
    gate = new Promise(resolve => {
      answer = resolve
    })
    const results = mempool.addMany([raw(1), raw(1, { account: 1 }), raw(0, { account: 3 })])
    await settle()
    include(2)
    answer()
    expect((await results).map(result => result.ok)).toEqual([true, true, true])
  })

  it('reads a state again when a build says that it is wrong', async () => {
    let nonce = 0
    const accounts = { accounts: async (addresses: readonly Address[]) => addresses.map(() => ({ ...rich, nonce })) }
    const { mempool } = await open({ ports: { accounts } })
    await mempool.addMany([raw(0), raw(1)])
    nonce = 1
    mempool.discard([{ hash: keccak256Hex(raw(0)), reason: 'nonce-too-low', detail: '' }])
    await settle()
    expect(mempool.contentFrom(addressOf(0)).pending.map(view => view.nonce)).toEqual([1])
    expect(mempool.hasExecutable()).toBe(true)
  })
})
