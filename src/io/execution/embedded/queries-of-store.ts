import type { KeyValueStore } from '../../storage/key-value-store.js'
import { EvmCallExecutor } from './calls/call-executor.js'
import { maxTransactionGas } from './engine/check-transaction.js'
import { EvmMachine } from './engine/evm-environment.js'
import { PortReads } from './port-reads.js'
import { createEthQueries, type EthQueries } from './queries/eth-queries.js'
import { NodeCache } from './state/node-cache.js'
import { TrieStateReader } from './state/trie-state-reader.js'
import { ChainStore } from './store/chain-store.js'

/** Everything that answers reads from a store that another thread, or this one, writes blocks to. */
export async function createQueries({
  store,
  chainId,
  interrupt,
}: {
  readonly store: KeyValueStore
  readonly chainId: number
  /** Called often while a call runs; throws to end it. */
  readonly interrupt?: () => void
}): Promise<{ readonly queries: EthQueries; readonly reads: PortReads }> {
  const chain = new ChainStore(store)
  const cache = new NodeCache(store, 16_384)
  const state = new TrieStateReader(cache)
  const machine = await EvmMachine.create(chainId, interrupt)
  const calls = new EvmCallExecutor(machine, state, height => chain.hashAt(height))
  const limits = { transactionGas: Number(maxTransactionGas) }
  return {
    queries: createEthQueries({ chain, state, calls, chainId, limits }),
    reads: new PortReads(chain, state, cache),
  }
}
