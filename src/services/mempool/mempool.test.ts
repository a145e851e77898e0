import { afterEach, describe, expect, it } from 'vitest'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import type { Address } from '../../base/primitives/hashes.js'
import type { AccountState } from '../../io/execution/execution-client.js'
import type { Peer } from '../../io/network/peer-network.js'
import { createInlineRecovery } from '../../io/recovery/inline-recovery.js'
import { RecoveryError } from '../../io/recovery/sender-recovery.js'
import { addressOf, signedTransfer, type TransferFields } from '../../io/recovery/signed-transfer.fixture.js'
import { MemoryLog } from '../../io/storage/memory-log.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { createMempool } from './create-mempool.js'
import { FakeNetwork, headOf, rich, testConfig } from './mempool.fixture.js'
import type { Mempool, MempoolConfig, MempoolPorts } from './mempool.js'
import { decodeTransactionBatch, encodeTransactionBatch, maxBatchBytes } from './transaction-batch.js'

const sequencers: Peer[] = ['s0', 's1', 's2'].map(id => ({ id, consensusKey: null }))
const fullNode: Peer = { id: 'f0', consensusKey: null }
const isSequencerPeer = (peer: Peer) => peer.id.startsWith('s')

const opened: Mempool[] = []
afterEach(async () => {
  for (const mempool of opened.splice(0)) await mempool[Symbol.asyncDispose]()
})

async function open(options: { config?: Partial<MempoolConfig>; ports?: Partial<MempoolPorts> } = {}) {
  const network = new FakeNetwork()
  const clock = new VirtualClock(1_000)
  const journal = new MemoryLog()
  const mempool = await createMempool({
    config: { ...testConfig, coalesceMs: 0, journalIntervalMs: 0, gossipIntervalMs: 0, ...options.config },
    ports: {
      recovery: createInlineRecovery(),
      accounts: { accounts: async addresses => addresses.map(() => rich) },
      network,
      journal,
      clock,
      logger: silentLogger,
      metrics: silentMetrics,
      isSequencer: false,
      isSequencerPeer,
      ...options.ports,
    },
  })
  opened.push(mempool)
  return { mempool, network, clock, journal }
}

const raw = (nonce: number, fields: Partial<TransferFields> = {}) => signedTransfer({ account: 0, nonce, ...fields })
const batchOf = (transactions: readonly Uint8Array[], relay = false) => encodeTransactionBatch({ relay, transactions })

/** Lets everything that needs no clock happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await new Promise(resolve => setImmediate(resolve))
}

const received = (network: FakeNetwork) =>
  network.sent.splice(0).map(({ to, message }) => ({ to, ...decodeTransactionBatch(message) }))

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
    expect(received(second.network)).toEqual([{ to: 's0', relay: false, transactions: [raw(1), raw(2)] }])
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

describe('gossip', () => {
  it('goes to every sequencer, in batches of an interval', async () => {
    const { mempool, network, clock } = await open({
      config: { gossipIntervalMs: 3 },
      ports: { isSequencer: true },
    })
    for (const peer of [...sequencers, fullNode]) network.connect(peer)
    await mempool.addRaw(raw(0))
    const toAll = (transactions: Uint8Array[]) => sequencers.map(({ id }) => ({ to: id, relay: false, transactions }))
    expect(received(network)).toEqual(toAll([raw(0)]))
    await mempool.addRaw(raw(1))
    await mempool.addRaw(raw(2))
    expect(received(network)).toEqual([])
    await clock.advance(3)
    expect(received(network)).toEqual(toAll([raw(1), raw(2)]))
  })

  it('from a full node asks one sequencer in turn to relay, unless it reaches them all', async () => {
    const { mempool, network } = await open({ ports: { sequencerCount: () => network.connected.length + missing } })
    let missing = 1
    for (const peer of sequencers) network.connect(peer)
    await mempool.addRaw(raw(0))
    expect(received(network).map(({ relay }) => relay)).toEqual([true, false, false])
    await mempool.addRaw(raw(1))
    expect(received(network).map(({ relay }) => relay)).toEqual([false, true, false])
    missing = 0
    await mempool.addRaw(raw(2))
    expect(received(network).map(({ relay }) => relay)).toEqual([false, false, false])
  })

  it('is relayed by a sequencer only when a node that is none asks', async () => {
    const { network } = await open({ ports: { isSequencer: true } })
    for (const peer of sequencers) network.connect(peer)
    network.deliver(sequencers[0]!, batchOf([raw(0)], true))
    network.deliver(fullNode, batchOf([raw(1)]))
    await settle()
    expect(received(network)).toEqual([])
    network.deliver(fullNode, batchOf([raw(2)], true))
    await settle()
    expect(received(network).map(({ to, transactions }) => [to, ...transactions])).toEqual(
      sequencers.map(({ id }) => [id, raw(2)]),
    )
  })

  it('is recovered once however many peers send it', async () => {
    let recovered = 0
    const inline = createInlineRecovery()
    const recovery: MempoolPorts['recovery'] = {
      recover: transactions => {
        recovered += transactions.length
        return inline.recover(transactions)
      },
    }
    const { mempool, network } = await open({ ports: { recovery } })
    for (const peer of sequencers) network.deliver(peer, batchOf([raw(0), raw(0)]))
    await settle()
    for (const peer of sequencers) network.deliver(peer, batchOf([raw(0)]))
    mempool.onHead(headOf([{ address: addressOf(0), ...rich, nonce: 1 }]))
    network.deliver(sequencers[0]!, batchOf([raw(0)]))
    await settle()
    expect(recovered).toBe(1)
  })

  it('brings a sequencer that connects up to date, within bounds', async () => {
    const { mempool, network } = await open({ config: { maxSyncBytes: 300 } })
    network.deliver(fullNode, batchOf([raw(0, { account: 1 })]))
    await settle()
    await mempool.addRaw(raw(0))
    network.connect(fullNode)
    expect(received(network)).toEqual([])
    network.connect(sequencers[0]!)
    expect(received(network)).toEqual([{ to: 's0', relay: false, transactions: [raw(0), raw(0, { account: 1 })] }])
    await mempool.addRaw(raw(1))
    network.sent.length = 0
    network.connect(sequencers[1]!)
    expect(received(network)[0]?.transactions).toEqual([raw(0), raw(1)])
  })

  it('sends local transactions again until they are included', async () => {
    const { mempool, network, clock } = await open({ config: { resendIntervalMs: 3_000 } })
    network.connect(sequencers[0]!)
    await mempool.addRaw(raw(0))
    network.deliver(fullNode, batchOf([raw(0, { account: 1 })]))
    await settle()
    network.sent.length = 0
    await clock.advance(6_000)
    expect(received(network).map(({ transactions }) => transactions)).toEqual([[raw(0)], [raw(0)]])
    mempool.onHead(headOf([{ address: addressOf(0), ...rich, nonce: 1 }]))
    await clock.advance(6_000)
    expect(received(network)).toEqual([])
  })
})

describe('peers that misbehave', () => {
  it.each<[string, Uint8Array, string]>([
    ['bytes that are no batch', Uint8Array.of(0xff, 1), 'malformed-transaction-batch'],
    ['a batch that is too large', new Uint8Array(maxBatchBytes + 1), 'malformed-transaction-batch'],
    [
      'too many items',
      encodeRlp([new Uint8Array(0), new Array(5_000).fill(Uint8Array.of(1))]),
      'malformed-transaction-batch',
    ],
    ['garbage in a batch', batchOf([new Uint8Array(100).fill(9)]), 'invalid-transaction'],
    ['another chain', batchOf([raw(0, { chainId: 9n })]), 'invalid-transaction'],
  ])('are dropped for %s', async (_what, message, reason) => {
    const { network } = await open()
    network.deliver(fullNode, message)
    await settle()
    expect(network.dropped).toEqual([{ peer: 'f0', reason }])
  })

  it('are not dropped for what another state or setting explains', async () => {
    const { network, mempool } = await open({ config: { minTip: 5n } })
    await mempool.addRaw(raw(0))
    const poor = raw(1, { value: 10n ** 30n })
    network.deliver(fullNode, batchOf([raw(1, { tip: 1n }), poor, raw(0, { fee: 101n })]))
    await settle()
    expect(network.dropped).toEqual([])
    expect(mempool.status()).toEqual({ pending: 1, queued: 0 })
  })

  it('cost bounded memory and time: 10,000 bad transactions from ten of them, beside an honest one', async () => {
    let recovered = 0
    let largest = 0
    const inline = createInlineRecovery()
    const recovery: MempoolPorts['recovery'] = {
      recover: transactions => {
        recovered += transactions.length
        largest = Math.max(largest, transactions.length)
        return inline.recover(transactions)
      },
    }
    const { network, mempool } = await open({
      config: { maxUnprocessedBytesPerPeer: 20_000 },
      ports: { recovery },
    })
    for (let peer = 0; peer < 10; peer++) {
      const garbage = Array.from({ length: 1_000 }, (_, index) => {
        const bytes = Uint8Array.from(raw(0))
        new DataView(bytes.buffer).setUint32(bytes.length - 4, peer * 1_000 + index)
        bytes[3] = 0xff
        return bytes
      })
      network.deliver({ id: `bad${peer}`, consensusKey: null }, batchOf(garbage))
    }
    network.deliver(fullNode, batchOf([raw(0, { account: 1 })]))
    expect(await mempool.addRaw(raw(0))).toMatchObject({ ok: true })
    await settle()
    expect(mempool.status()).toEqual({ pending: 2, queued: 0 })
    expect(new Set(network.dropped.map(({ peer }) => peer)).size).toBe(10)
    // Each bad peer may have 20 kB waiting, and is cut off by the first answer.
    expect(recovered).toBeLessThan(1_000)
    expect(largest).toBeLessThanOrEqual(256)
  })

  it('bound what they may have waiting, even with valid transactions', async () => {
    const { network, mempool } = await open({ config: { maxUnprocessedBytesPerPeer: 1_000 } })
    network.deliver(fullNode, batchOf(Array.from({ length: 50 }, (_, account) => raw(0, { account }))))
    await settle()
    expect(mempool.status().pending).toBe(9)
    network.deliver(fullNode, batchOf([raw(0, { account: 49 })]))
    await settle()
    expect(mempool.status().pending).toBe(10)
  })
})
