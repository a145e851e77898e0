import fc from 'fast-check'
import { keccak256, type TransactionSerializable } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { describe, expect, it } from 'vitest'
import { DecodeError } from '../encoding/decode-error.js'
import { decodeRlp, encodeRlp, type RlpItem } from '../encoding/rlp.js'
import { rlpUint } from '../encoding/rlp-fields.js'
import { bytesToHex, concatBytes, type Hex, hexToBytes } from '../primitives/bytes.js'
import {
  decodeTransaction,
  maxTransactionBytes,
  recoverSender,
  type Transaction,
  UnsupportedTransactionError,
} from './transaction.js'

const account = privateKeyToAccount(`0x${'46'.repeat(32)}`)
const hex = (min: number, max = min) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map(bytes => bytesToHex(bytes) as Hex)
const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })

const common = {
  nonce: fc.maxSafeNat(),
  gas: uint(64),
  value: uint(256),
  data: hex(0, 100),
}
const to = fc.option(hex(20), { nil: null })
const chainId = fc.integer({ min: 1, max: 2 ** 40 })
const accessList = fc.array(fc.record({ address: hex(20), storageKeys: fc.array(hex(32), { maxLength: 3 }) }), {
  maxLength: 3,
})
const fees = fc
  .tuple(uint(255), uint(255))
  .map(([tip, more]) => ({ maxPriorityFeePerGas: tip < more ? tip : more, maxFeePerGas: tip < more ? more : tip }))

const legacy = fc.record({ type: fc.constant('legacy'), to, gasPrice: uint(255), ...common })
const protectedLegacy = fc.record({ type: fc.constant('legacy'), chainId, to, gasPrice: uint(255), ...common })
const type1 = fc.record({ type: fc.constant('eip2930'), chainId, to, gasPrice: uint(255), accessList, ...common })
const type2 = fc
  .record({ type: fc.constant('eip1559'), chainId, to, fees, accessList, ...common })
  .map(({ fees: both, ...rest }) => ({ ...rest, ...both }))

const authorize = async (index: number) =>
  privateKeyToAccount(generatePrivateKey()).signAuthorization({
    contractAddress: `0x${'ab'.repeat(20)}`,
    chainId: index,
    nonce: index * 1_000,
  })
const type4 = fc
  .record({ type: fc.constant('eip7702'), chainId, to: hex(20), fees, accessList, ...common })
  .map(({ fees: both, ...rest }) => ({ ...rest, ...both }))

const sign = async (transaction: unknown): Promise<Uint8Array> =>
  hexToBytes(await account.signTransaction(transaction as TransactionSerializable))

/** The decoded transaction in the words of viem. */
const inWordsOfViem = (decoded: Transaction) => ({
  ...(decoded.chainId === null ? {} : { chainId: Number(decoded.chainId) }),
  nonce: decoded.nonce,
  gas: decoded.gasLimit,
  to: decoded.to,
  value: decoded.value,
  data: bytesToHex(decoded.data),
  ...(decoded.type < 2
    ? { gasPrice: decoded.maxFeePerGas }
    : { maxFeePerGas: decoded.maxFeePerGas, maxPriorityFeePerGas: decoded.maxPriorityFeePerGas }),
  ...(decoded.type === 0 ? {} : { accessList: decoded.accessList }),
})

async function checkAgainstViem(given: object): Promise<Transaction> {
  const raw = await sign(given)
  const decoded = decodeTransaction(raw)
  const { type, authorizationList, ...fields } = given as { type: string; authorizationList?: unknown }
  expect(inWordsOfViem(decoded)).toEqual(fields)
  expect(decoded.type).toBe({ legacy: 0, eip2930: 1, eip1559: 2, eip7702: 4 }[type])
  expect(decoded.hash).toBe(keccak256(raw))
  expect(decoded.raw).toEqual(raw)
  expect(recoverSender(decoded)).toBe(account.address.toLowerCase())
  return decoded
}

describe('transactions made by viem decode to the same fields, hash and sender', () => {
  it.each([
    { name: 'legacy without replay protection', transaction: legacy },
    { name: 'legacy (EIP-155)', transaction: protectedLegacy },
    { name: 'access list (EIP-2930)', transaction: type1 },
    { name: 'fee market (EIP-1559)', transaction: type2 },
  ])('$name', async ({ transaction }) => {
    await fc.assert(
      fc.asyncProperty(transaction as fc.Arbitrary<object>, async given => void (await checkAgainstViem(given))),
      {
        numRuns: 40,
      },
    )
  })

  it('set code (EIP-7702)', async () => {
    const authorizationList = await Promise.all([1, 2, 3].map(authorize))
    await fc.assert(
      fc.asyncProperty(type4, async given => {
        const decoded = await checkAgainstViem({ ...given, authorizationList })
        expect(decoded.authorizations).toEqual(
          authorizationList.map(({ address, chainId: chain, nonce, r, s, yParity }) => ({
            chainId: BigInt(chain),
            address,
            nonce: BigInt(nonce),
            yParity,
            r: BigInt(r),
            s: BigInt(s),
          })),
        )
      }),
      { numRuns: 20 },
    )
  })
})

describe('what is refused', () => {
  const base = { type: 'eip1559', chainId: 7, nonce: 1, gas: 21_000n, maxFeePerGas: 5n, maxPriorityFeePerGas: 1n }
  const given = { ...base, to: `0x${'11'.repeat(20)}`, value: 1n }
  const changed = async (transaction: object, change: (items: RlpItem[]) => RlpItem[]): Promise<Uint8Array> => {
    const raw = await sign(transaction)
    const typed = raw[0]! < 0xc0
    const items = encodeRlp(change([...(decodeRlp(typed ? raw.subarray(1) : raw) as RlpItem[])]))
    return typed ? concatBytes(raw.subarray(0, 1), items) : items
  }
  const withField = (at: number, item: RlpItem) => (items: RlpItem[]) => items.with(at, item)

  it('blob transactions and unknown types, by name', () => {
    expect(() => decodeTransaction(hexToBytes('0x03c0'))).toThrow(UnsupportedTransactionError)
    expect(() => decodeTransaction(hexToBytes('0x03c0'))).toThrow('blob transactions are not accepted on L2')
    for (const type of [0, 5, 0x7f, 0x80, 0xbf])
      expect(() => decodeTransaction(Uint8Array.of(type, 0xc0))).toThrow(UnsupportedTransactionError)
  })

  it('nothing, and too much', () => {
    expect(() => decodeTransaction(new Uint8Array(0))).toThrow(DecodeError)
    expect(() => decodeTransaction(new Uint8Array(maxTransactionBytes + 1).fill(0xc0))).toThrow('oversized data')
  })

  it('a tip above the fee, a set-code transaction that creates or authorizes nothing', async () => {
    await expect(changed(given, withField(2, rlpUint(6))).then(decodeTransaction)).rejects.toThrow('max priority fee')
    const setCode = { ...given, type: 'eip7702', authorizationList: [await authorize(1)] }
    const empty = new Uint8Array(0)
    await expect(changed(setCode, withField(5, empty)).then(decodeTransaction)).rejects.toThrow(
      'cannot create a contract',
    )
    await expect(changed(setCode, withField(9, [])).then(decodeTransaction)).rejects.toThrow('needs an authorization')
  })

  it('a recipient of another length, a parity above 1, a v that means nothing, fields too many or too few', async () => {
    const legacyGiven = { type: 'legacy', nonce: 1, gas: 21_000n, gasPrice: 5n, to: given.to, value: 1n }
    const cases: [object, (items: RlpItem[]) => RlpItem[]][] = [
      [given, withField(5, new Uint8Array(19))],
      [given, withField(9, rlpUint(2))],
      [given, items => [...items, rlpUint(0)]],
      [given, items => items.slice(0, -1)],
      [given, withField(8, rlpUint(1))],
      [given, withField(8, [[new Uint8Array(20)]])],
      [given, withField(8, [[new Uint8Array(20), [new Uint8Array(31)]]])],
      [legacyGiven, withField(6, rlpUint(29))],
      [legacyGiven, withField(6, rlpUint(0))],
    ]
    for (const [transaction, change] of cases)
      await expect(changed(transaction, change).then(decodeTransaction)).rejects.toThrow(DecodeError)
  })

  it('a high s recovers nobody (EIP-2)', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const { rs, v } = decodeTransaction(await sign(given))
    const high = order - BigInt(bytesToHex(rs.subarray(32)))
    const raw = await changed(given, items => items.with(11, rlpUint(high)).with(9, rlpUint(1n - v)))
    expect(recoverSender(decodeTransaction(raw))).toBeNull()
  })

  it('more items than its bytes can rightly hold, and not the longest access list', async () => {
    const entry = (i: number) => ({ address: `0x${i.toString(16).padStart(40, '0')}` as const, storageKeys: [] })
    const long = await sign({ ...given, accessList: Array.from({ length: 5_600 }, (_, i) => entry(i)) })
    expect(long.length).toBeGreaterThan(128_000)
    expect(decodeTransaction(long).accessList).toHaveLength(5_600)
    const tiny = changed(given, items =>
      items.with(
        8,
        Array.from({ length: 30_000 }, () => Uint8Array.of(1)),
      ),
    )
    await expect(tiny.then(decodeTransaction)).rejects.toThrow('too many items')
  })

  it('garbage, with nothing but DecodeError; a changed transaction is not from its sender', async () => {
    const samples = [await sign(given), await sign({ type: 'legacy', nonce: 1, gas: 1n, gasPrice: 5n, to: given.to })]
    const flips = fc.tuple(fc.nat(), fc.nat(7))
    const mutated = fc.tuple(fc.constantFrom(...samples), flips).map(([sample, [at, bit]]) => {
      const raw = Uint8Array.from(sample)
      raw[at % raw.length]! ^= 1 << bit
      return raw
    })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), raw => {
        try {
          const decoded = decodeTransaction(raw)
          const sender = recoverSender(decoded)
          expect(sender === null || sender !== account.address.toLowerCase()).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
