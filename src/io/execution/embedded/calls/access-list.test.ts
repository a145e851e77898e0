import { afterAll, beforeAll, expect, it } from 'vitest'
import { bytesToHex, type Hex, uintToBytes } from '../../../../base/primitives/bytes.js'
import { type Address, zeroHash } from '../../../../base/primitives/hashes.js'
import { MemoryStore } from '../../../storage/memory-store.js'
import type { ExecutionClient } from '../../execution-client.js'
import type { GenesisAccount } from '../../genesis.js'
import { createInProcessExecution } from '../in-process-execution.js'

const address = (n: number): Address => bytesToHex(uintToBytes(n, 20))
const slot = (n: number) => bytesToHex(uintToBytes(n, 32))
const sender = address(0xaaa1)
interface Contract extends GenesisAccount {
  readonly at: Address
}
const holding = (at: number, code: Hex, storage: GenesisAccount['storage'] = {}): Contract => ({
  at: address(at),
  balance: 0n,
  nonce: 1,
  code,
  storage,
})
const codes = {
  /** Reads slot 1, then the slot that slot 1 names (5), then the balance of 0xbbb1. */
  reader: holding(0xccc1, '0x600154545061bbb13100', { [slot(1)]: slot(5) }),
  /** Calls the reader, then reverts. */
  reverting: holding(0xccc2, '0x6000600060006000600061ccc15af160006000fd'),
  /** Its own code only: looks at itself, at the sender and at the identity precompile. */
  homely: holding(0xccc3, '0x3031503331506004315000'),
  /** Creates an empty contract. */
  maker: holding(0xccc4, '0x600060006000f05000'),
}

let client: ExecutionClient
beforeAll(async () => {
  client = await createInProcessExecution({
    store: new MemoryStore(),
    genesis: {
      chainId: 7,
      timestamp: 1_700_000_000,
      gasLimit: 30_000_000,
      l1OriginNumber: 0,
      l1OriginHash: zeroHash,
      alloc: Object.fromEntries(Object.values(codes).map(({ at, ...held }) => [at, held])),
    },
  })
})
afterAll(() => client.close())

const ask = (to: Address | undefined, more: object = {}) =>
  client.request('eth_createAccessList', [{ from: sender, ...(to ? { to } : {}), ...more }, 'latest']) as Promise<{
    accessList: { address: Address; storageKeys: string[] }[]
    gasUsed: string
    error?: string
  }>

it('holds the slots of the contract and the others that it looks at', async () => {
  const { accessList, gasUsed, error } = await ask(codes.reader.at)
  expect(error).toBeUndefined()
  expect(accessList).toEqual([
    { address: codes.reader.at, storageKeys: [slot(1), slot(5)] },
    { address: address(0xbbb1), storageKeys: [] },
  ])
  // 21,000 and two addresses (2,400) and two slots (1,900); then 3 warm reads of 100, and 3 + 2 + 3 for pushes and pop.
  expect(Number(gasUsed)).toBe(21_000 + 2 * 2_400 + 2 * 1_900 + 300 + 8)
})

it('gas with the list is what the call uses when it is given', async () => {
  const { accessList, gasUsed } = await ask(codes.reader.at)
  const again = await ask(codes.reader.at, { accessList })
  expect(again).toEqual({ accessList, gasUsed })
})

it('holds what a reverted part touched, with the error', async () => {
  const { accessList, error } = await ask(codes.reverting.at)
  expect(error).toBe('execution reverted')
  expect(accessList).toEqual([
    { address: codes.reader.at, storageKeys: [slot(1), slot(5)] },
    { address: address(0xbbb1), storageKeys: [] },
  ])
})

it('leaves out what is warm anyway, and contracts that the call makes', async () => {
  expect((await ask(codes.homely.at)).accessList).toEqual([])
  expect((await ask(codes.maker.at)).accessList).toEqual([])
  expect((await ask(undefined, { data: '0x00' })).accessList).toEqual([])
})

it('leaves no trace in later calls', async () => {
  const before = await client.request('eth_estimateGas', [{ from: sender, to: codes.reader.at }])
  await ask(codes.reader.at)
  expect(await client.request('eth_estimateGas', [{ from: sender, to: codes.reader.at }])).toBe(before)
})

it('is refused like a call', async () => {
  await expect(ask(codes.reader.at, { gas: '0x5208', gasPrice: '0x3b9aca00' })).rejects.toMatchObject({
    rpc: { code: -32000, message: expect.stringContaining('insufficient funds') },
  })
  await expect(client.request('eth_createAccessList', [])).rejects.toMatchObject({ rpc: { code: -32602 } })
})
