import fc from 'fast-check'
import { privateKeyToAccount } from 'viem/accounts'
import { afterEach, describe, expect, it } from 'vitest'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { hexToBytes } from '../../base/primitives/bytes.js'
import { decodeTransaction } from '../../base/protocol/transaction.js'
import { createInlineRecovery } from './inline-recovery.js'
import { packBatch, unpackBatch } from './packed-batch.js'
import type { RecoveredTransaction, SenderRecovery } from './sender-recovery.js'
import { addressOf, keyOf, signedTransfer } from './signed-transfer.fixture.js'
import { createWorkerRecovery, defaultWorkerRecoveryConfig } from './worker-recovery.js'

const wallet = privateKeyToAccount(`0x${Buffer.from(keyOf(0)).toString('hex')}`)
const token = `0x${'44'.repeat(20)}` as const

/** Every type, with fields that leave the first word of each amount. */
async function everyType(): Promise<Uint8Array[]> {
  const authorization = await wallet.signAuthorization({ chainId: 7, contractAddress: token, nonce: 0 })
  const accessList = [{ address: token, storageKeys: [`0x${'00'.repeat(32)}`, `0x${'01'.repeat(32)}`] as const }]
  const signed = await Promise.all([
    wallet.signTransaction({ type: 'legacy', nonce: 1, gas: 21_000n, gasPrice: 5n, to: token, chainId: 7 }),
    wallet.signTransaction({ type: 'legacy', nonce: 2, gas: 21_000n, gasPrice: 5n, to: token }),
    wallet.signTransaction({
      type: 'eip2930',
      nonce: 3,
      gas: 30_000n,
      gasPrice: 1n << 70n,
      to: token,
      chainId: 7,
      accessList,
    }),
    wallet.signTransaction({
      type: 'eip1559',
      nonce: 4,
      gas: (1n << 64n) - 1n,
      maxFeePerGas: (1n << 255n) + 3n,
      maxPriorityFeePerGas: (1n << 130n) + 9n,
      value: (1n << 200n) + 5n,
      data: '0x600000ff00',
      chainId: 7,
    }),
    wallet.signTransaction({
      type: 'eip7702',
      nonce: 5,
      gas: 90_000n,
      maxFeePerGas: 10n,
      maxPriorityFeePerGas: 1n,
      to: token,
      chainId: 7,
      authorizationList: [authorization],
    }),
  ])
  return signed.map(hexToBytes)
}

const kinds: [string, () => SenderRecovery][] = [
  ['inline', createInlineRecovery],
  ['one worker', () => createWorkerRecovery()],
  ['two workers', () => createWorkerRecovery({ ...defaultWorkerRecoveryConfig, workers: 2, taskTransactions: 3 })],
]

describe.each(kinds)('sender recovery: %s', (_kind, create) => {
  let recovery: SenderRecovery | undefined
  afterEach(() => recovery?.close())

  it('sums up every type as the decoder reads it', async () => {
    recovery = create()
    const raws = await everyType()
    const outcomes = await recovery.recover(raws)
    raws.forEach((raw, index) => {
      const expected = decodeTransaction(raw)
      const outcome = outcomes[index] as RecoveredTransaction
      const cost = expected.gasLimit * expected.maxFeePerGas + expected.value
      expect({
        refusal: outcome.refusal,
        raw: outcome.raw,
        hash: outcome.hash,
        sender: outcome.sender,
        type: outcome.type,
        chainId: outcome.chainId,
        nonce: outcome.nonce,
        gasLimit: outcome.gasLimit,
        maxFeePerGas: outcome.maxFeePerGas,
        maxPriorityFeePerGas: outcome.maxPriorityFeePerGas,
        value: outcome.value,
        cost: outcome.cost,
        to: outcome.to,
        dataLength: outcome.dataLength,
        zeroDataBytes: outcome.zeroDataBytes,
        accessListAddresses: outcome.accessListAddresses,
        accessListKeys: outcome.accessListKeys,
        authorizations: outcome.authorizations,
      }).toEqual({
        refusal: null,
        raw,
        hash: keccak256Hex(raw),
        sender: wallet.address.toLowerCase(),
        type: expected.type,
        chainId: expected.chainId,
        nonce: expected.nonce,
        gasLimit: Number(expected.gasLimit),
        maxFeePerGas: expected.maxFeePerGas,
        maxPriorityFeePerGas: expected.maxPriorityFeePerGas,
        value: expected.value,
        cost: cost < 1n << 256n ? cost : (1n << 256n) - 1n,
        to: expected.to,
        dataLength: expected.data.length,
        zeroDataBytes: expected.data.filter(byte => byte === 0).length,
        accessListAddresses: expected.accessList.length,
        accessListKeys: expected.accessList.flatMap(entry => entry.storageKeys).length,
        authorizations: expected.authorizations.length,
      })
    })
  })

  it('names what is wrong, in place, and recovers the rest', async () => {
    recovery = create()
    const good = signedTransfer({ account: 3, nonce: 0 })
    const unsigned = Uint8Array.from(good)
    // r = 2^256 - 1 lies on no curve point; it sits before the 33 bytes of s.
    unsigned.fill(0xff, good.length - 65, good.length - 33)
    const outcomes = await recovery.recover([
      new Uint8Array(0),
      good,
      Uint8Array.of(3, 1, 2),
      Uint8Array.of(2, 0xc1, 1),
      unsigned,
      new Uint8Array(131_073),
      good,
    ])
    expect(outcomes.map(outcome => outcome.refusal)).toEqual([
      'malformed',
      null,
      'type-not-supported',
      'malformed',
      'invalid-signature',
      'malformed',
      null,
    ])
    expect(outcomes[2]).toHaveProperty('message', expect.stringMatching(/^transaction type not supported/))
    expect(outcomes[4]).toHaveProperty('message', 'invalid sender: invalid transaction v, r, s values')
    expect(outcomes[5]).toHaveProperty('message', 'oversized data')
    expect(outcomes[6]).toHaveProperty('sender', addressOf(3))
  })

  it('never throws on garbage', async () => {
    recovery = create()
    const subject = recovery
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), async raws => {
        const outcomes = await subject.recover(raws)
        expect(outcomes).toHaveLength(raws.length)
      }),
      { numRuns: 50 },
    )
  })

  it('refuses work after it is closed', async () => {
    recovery = create()
    await recovery.close()
    await expect(recovery.recover([])).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('worker recovery', () => {
  it('bounds what waits, and goes on afterwards', async () => {
    const raw = signedTransfer({ account: 0, nonce: 0 })
    const recovery = createWorkerRecovery({ workers: 1, maxQueuedBytes: raw.length * 10, taskTransactions: 4 })
    const first = recovery.recover(new Array(10).fill(raw))
    await expect(recovery.recover([raw])).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    expect(await first).toHaveLength(10)
    expect(await recovery.recover([raw])).toHaveLength(1)
    await recovery.close()
  })

  it('fails what is under way when it is closed', async () => {
    const recovery = createWorkerRecovery()
    const waiting = recovery.recover([signedTransfer({ account: 0, nonce: 0 })])
    const failed = expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
    await recovery.close()
    await failed
  })
})

describe('packed batch', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), raws => {
        expect(unpackBatch(packBatch(raws))).toEqual(raws)
      }),
    )
  })
})
