import { afterEach, describe, expect, it } from 'vitest'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { createInlineRecovery } from '../../io/recovery/inline-recovery.js'
import { addressOf } from '../../io/recovery/signed-transfer.fixture.js'
import {
  batchOf,
  closeAll,
  type FakeNetwork,
  fullNode,
  headOf,
  open,
  raw,
  rich,
  sequencers,
  settle,
} from './mempool.fixture.js'
import type { MempoolPorts } from './mempool.js'
import { decodeTransactionBatch, maxBatchBytes } from './transaction-batch.js'

const received = (network: FakeNetwork) =>
  network.sent.splice(0).map(({ to, message }) => ({ to, ...decodeTransactionBatch(message) }))

afterEach(closeAll)

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

describe('local transactions that cannot be in the next block', () => {
  it('come last for a sequencer that connects, and are not sent again before they can', async () => {
    const { mempool, network, clock } = await open({ config: { resendIntervalMs: 3_000, baseFeePerGas: 50n } })
    const [cheap, gapped, good] = [raw(0, { fee: 40n, tip: 1n }), raw(5, { account: 1 }), raw(0, { account: 2 })]
    for (const one of [cheap, gapped, good]) expect(await mempool.addRaw(one)).toMatchObject({ ok: true })
    await clock.advance(1_000)
    network.connect(sequencers[0]!)
    expect(received(network).map(({ transactions }) => transactions)).toEqual([[good, cheap, gapped]])
    network.sent.length = 0
    await clock.advance(6_000)
    expect(received(network).map(({ transactions }) => transactions)).toEqual([[good], [good]])
    mempool.onHead(headOf([{ address: addressOf(1), ...rich, nonce: 5 }], 40n))
    network.sent.length = 0
    await clock.advance(3_000)
    expect(received(network).flatMap(({ transactions }) => transactions)).toEqual(
      expect.arrayContaining([good, cheap, gapped]),
    )
  })
})

describe('more local transactions than are sent again at once', () => {
  it('all get their turn', async () => {
    const size = raw(0).length
    const config = { resendIntervalMs: 3_000, maxSyncBytes: 3 * size }
    const { mempool, network, clock } = await open({ config })
    const all = Array.from({ length: 10 }, (_, account) => raw(0, { account }))
    for (const one of all) await mempool.addRaw(one)
    await clock.advance(2_000)
    network.connect(sequencers[0]!)
    network.sent.length = 0
    await clock.advance(4 * 3_000)
    const sent = new Set(received(network).flatMap(({ transactions }) => transactions.map(String)))
    expect(sent.size).toBe(10)
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
