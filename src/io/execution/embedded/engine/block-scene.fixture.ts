import { type Address, zeroAddress, zeroHash } from '../../../../base/primitives/hashes.js'
import type { GenesisAccount } from '../../genesis.js'
import type { StateDiff } from '../state/state-diff.js'
import type { BlockEnvironment } from './evm-environment.js'
import { genesisBlock } from './genesis-block.js'

/** The L2 chain of tests that execute parts of a block. */
export const chainId = 3
const gasLimit = 30_000_000

/** The state of a genesis with these accounts. */
export function genesisState(alloc: Readonly<Record<Address, GenesisAccount>>): StateDiff {
  return genesisBlock({ chainId, timestamp: 1, gasLimit, l1OriginNumber: 0, l1OriginHash: zeroHash, alloc }).state
}

/** What code sees of the block after genesis, but for what is told. */
export function environmentOf(told: Partial<BlockEnvironment>): BlockEnvironment {
  return {
    number: 1,
    timestamp: 2,
    feeRecipient: zeroAddress,
    prevRandao: zeroHash,
    gasLimit,
    baseFeePerGas: 1n,
    blockHash: () => null,
    ...told,
  }
}
