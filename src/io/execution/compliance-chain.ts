import assert from 'node:assert/strict'
import { addressOfPrivateKey } from '../../base/crypto/secp256k1.js'
import { type Hex, uintToBytes } from '../../base/primitives/bytes.js'
import { type Address, type BlockHash, zeroHash } from '../../base/primitives/hashes.js'
import type { Block } from '../../base/protocol/block.js'
import { prevRandaoOf } from '../../base/protocol/block-header.js'
import type { BlockAttributes, ExecutionClient, HeadChange } from './execution-client.js'
import { type Genesis, type GenesisAccount, genesisContext } from './genesis.js'
import { signTransaction, type UnsignedTransaction } from './sign-transaction.js'

/** Genesis accounts of the EIP-4788, 2935, 7002 and 7251 contracts. */
export type SystemContracts = Readonly<Record<Address, GenesisAccount>>

/** Chain id of the checks. */
export const chainId = 7_357
/** Wei in one ETH. */
export const ether = 10n ** 18n
/** Keys of the four accounts. */
export const keys = [1, 2, 3, 4].map(i => uintToBytes(i, 32))
export const [alice, bob, carol, pauper] = keys.map(addressOfPrivateKey) as [Address, Address, Address, Address]
/** Gets the tips. */
export const feeRecipient: Address = '0x00000000000000000000000000000000000fee00'

/**
 * Keeps one word: called without data it returns the word, with 32 bytes it stores them and logs them under topic 0xaa, with
 * zero it reverts.
 */
const keeper = '36600c575f545f5260205ff35b5f35806016575f5ffd5b805f555f5260aa60205fa100'
/** Creates it. */
export const keeperInit: Hex = `0x60${(keeper.length / 2).toString(16)}8060095f395ff3${keeper}`

/** The chain on which the checks run: four accounts, the last with next to nothing, and the system contracts. */
export function complianceGenesis(systemContracts: SystemContracts): Genesis {
  return {
    chainId,
    timestamp: 1_700_000_000,
    gasLimit: 30_000_000,
    l1OriginNumber: 5,
    l1OriginHash: `0x${'11'.repeat(32)}` as Hex,
    alloc: {
      ...systemContracts,
      [alice]: { balance: 1_000n * ether },
      [bob]: { balance: 1_000n * ether },
      [carol]: { balance: 1_000n * ether },
      [pauper]: { balance: 1n },
    },
  }
}

type Draft = Omit<Partial<UnsignedTransaction>, 'chainId'> & { readonly key?: Uint8Array }

/** A signed transaction: a transfer of nothing to bob by alice, but for what the draft says. */
export function sign({ key = keys[0]!, ...draft }: Draft): Uint8Array {
  const defaults = { type: 2, nonce: 0, maxFeePerGas: 10n ** 11n, gasLimit: 21_000, to: bob } as const
  return signTransaction({ ...defaults, maxPriorityFeePerGas: 10n ** 9n, ...draft, chainId }, key)
}

/** Attributes of the block after `parent`. */
export function attributesAfter(
  parent: Pick<Block, 'hash' | 'header'>,
  change: Partial<BlockAttributes> = {},
): BlockAttributes {
  const height = parent.header.number + 1
  return {
    parentHash: parent.hash,
    height,
    timestamp: parent.header.timestamp + 1,
    feeRecipient,
    prevRandao: prevRandaoOf(parent.hash, height),
    gasLimit: 30_000_000,
    context: { ...genesisContext(complianceGenesis({})), setId: 1, timestampMs: (parent.header.timestamp + 1) * 1000 },
    withdrawals: [],
    transactions: [],
    onInvalidTransaction: 'fail',
    ...change,
  }
}

/** Makes a candidate the head. */
export async function commit(
  client: ExecutionClient,
  head: BlockHash,
  behind: BlockHash = zeroHash,
): Promise<HeadChange> {
  const change = await client.forkchoiceUpdated({ head, safe: behind, finalized: behind })
  assert(change !== null, 'a new head is a change')
  return change
}

/** Builds on the head and makes it the head. */
export async function advance(client: ExecutionClient, change: Partial<BlockAttributes> = {}): Promise<Block> {
  const { block } = await client.buildBlock(attributesAfter(await client.head(), change))
  await commit(client, block.hash)
  return block
}

/** Balance by eth_getBalance. */
export const balanceOf = async (client: ExecutionClient, address: Address, block: string | number = 'latest') =>
  BigInt((await client.request('eth_getBalance', [address, tag(block)])) as string)
/** A block parameter of JSON-RPC. */
export const tag = (block: string | number): string => (typeof block === 'number' ? `0x${block.toString(16)}` : block)
/** 32 bytes. */
export const word = (value: bigint | number): Uint8Array => uintToBytes(value, 32)
