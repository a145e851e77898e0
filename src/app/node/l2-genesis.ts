import { bytesToHex, hexToBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import { type BatchHeader, genesisBatchHeader } from '../../base/protocol/batch-header.js'
import { genesisBlock } from '../../io/execution/embedded/engine/genesis-block.js'
import type { Genesis, GenesisAccount } from '../../io/execution/genesis.js'
import type { GenesisAccountJson, NetworkFile } from './network-file.js'

/** The execution client's genesis of a network. */
export function l2Genesis({ l2, parameters }: Pick<NetworkFile, 'l2' | 'parameters'>): Genesis {
  const { timestamp, baseFeePerGas, l1Origin, alloc } = l2.genesis
  return {
    chainId: l2.chainId,
    timestamp,
    gasLimit: parameters.gasLimit,
    baseFeePerGas: BigInt(baseFeePerGas),
    l1OriginNumber: l1Origin.number,
    l1OriginHash: l1Origin.hash,
    alloc: Object.fromEntries(
      Object.entries(alloc).map(([address, account]) => [address.toLowerCase(), genesisAccount(account)]),
    ),
  }
}

/** Header of batch 0: what the Rollup contract was deployed with. */
export function l2GenesisBatch(genesis: Genesis): BatchHeader {
  const { block } = genesisBlock(genesis)
  return genesisBatchHeader({ blockHash: block.hash, stateRoot: block.header.stateRoot })
}

function genesisAccount({ balance, nonce, code, storage }: GenesisAccountJson): GenesisAccount {
  return {
    balance: BigInt(balance),
    ...(nonce === undefined ? {} : { nonce }),
    ...(code === undefined ? {} : { code: bytesToHex(hexToBytes(code)) }),
    ...(storage === undefined ? {} : { storage: storage as Record<Address, `0x${string}`> }),
  }
}
