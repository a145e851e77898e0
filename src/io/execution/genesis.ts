import type { Hex } from '../../base/primitives/bytes.js'
import type { Address, Hash32, L1BlockHash } from '../../base/primitives/hashes.js'
import type { L1BlockNumber, Wei } from '../../base/primitives/quantities.js'
import { type BlockContext, emptyInboxRoot } from '../../base/protocol/block-context.js'
import { genesisVersion } from '../../base/protocol/protocol-version.js'

/** What an account holds at genesis. */
export interface GenesisAccount {
  readonly balance: Wei
  readonly nonce?: number
  readonly code?: Hex
  /** Words by slot, both 32 bytes. */
  readonly storage?: Readonly<Record<Hash32, Hash32>>
}

/** Everything that the first block of a chain follows from; equal on all nodes of a network. */
export interface Genesis {
  readonly chainId: number
  /** Seconds. */
  readonly timestamp: number
  readonly gasLimit: number
  /** Default: 1 gwei. */
  readonly baseFeePerGas?: Wei
  readonly l1OriginNumber: L1BlockNumber
  readonly l1OriginHash: L1BlockHash
  readonly alloc: Readonly<Record<Address, GenesisAccount>>
}

/** Base fee of genesis where none is given. */
export const defaultGenesisBaseFee: Wei = 1_000_000_000n

/** The context behind the genesis block: set 0, no proposer, nothing consumed. */
export function genesisContext(genesis: Genesis): BlockContext {
  return {
    version: genesisVersion,
    setId: 0,
    proposerIndex: 0,
    timestampMs: genesis.timestamp * 1000,
    l1OriginNumber: genesis.l1OriginNumber,
    l1OriginHash: genesis.l1OriginHash,
    messagesConsumed: 0,
    inboxRoot: emptyInboxRoot,
  }
}
