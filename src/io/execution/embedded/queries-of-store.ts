import type { BlockHash } from '../../../base/primitives/hashes.js'
import type { KeyValueStore } from '../../storage/key-value-store.js'
import type { BlockStateDiff } from '../execution-client.js'
import { maxTransactionGas } from './engine/check-transaction.js'
import { PortReads } from './port-reads.js'
import { createEthQueries, type EthQueries } from './queries/eth-queries.js'
import type { QueryTimer } from './queries/query-method.js'
import type { CallExecutor } from './reading.js'
import { NodeCache } from './state/node-cache.js'
import { TrieStateReader } from './state/trie-state-reader.js'
import { ChainStore } from './store/chain-store.js'

/** Everything that answers reads from a store that another thread, or this one, writes blocks to. */
export interface StoreQueries {
  readonly queries: EthQueries
  readonly reads: PortReads
  /** Loads the EVM, which else waits for the first call. */
  prepareCalls(): Promise<void>
  /** What a block of the chain changed, by executing it once more; null for any other block. One runs at a time. */
  stateDiffOf(blockHash: BlockHash): Promise<BlockStateDiff | null>
}

/** Without a timer, queries take as long as they take. */
export function createQueries({
  store,
  chainId,
  timer,
}: {
  readonly store: KeyValueStore
  readonly chainId: number
  readonly timer?: QueryTimer
}): StoreQueries {
  const chain = new ChainStore(store)
  const cache = new NodeCache(store, 16_384)
  const state = new TrieStateReader(cache)
  const interrupt = timer && (() => timer.check())
  let executor: Promise<CallExecutor> | null = null
  const load = async (): Promise<CallExecutor> => {
    const { createCallExecutor } = await import('./calls/call-executor.js')
    return createCallExecutor({
      chainId,
      states: state,
      hashAt: height => chain.hashAt(height),
      ...(interrupt && { interrupt }),
    })
  }
  const executorNow = () => {
    executor ??= load()
    return executor
  }
  // Loaded when it is asked for, as the EVM of calls is.
  const diffOf = async (blockHash: BlockHash) => {
    const [{ EvmMachine }, { storedStateDiff }] = await Promise.all([
      import('./engine/evm-environment.js'),
      import('./engine/block-state-diff.js'),
    ])
    const machine = await EvmMachine.create(chainId, interrupt && { interrupt })
    return storedStateDiff({ chain, states: state, machine, blockHash, interrupt })
  }
  let diffs: Promise<unknown> = Promise.resolve()
  const calls: CallExecutor = {
    call: async (request, signal) => (await executorNow()).call(request, signal),
    callWithAccesses: async (request, signal) => (await executorNow()).callWithAccesses(request, signal),
  }
  const limits = { transactionGas: Number(maxTransactionGas) }
  return {
    queries: createEthQueries({ chain, state, calls, chainId, limits, ...(timer && { timer }) }),
    reads: new PortReads(chain, state, cache),
    stateDiffOf(blockHash) {
      const diff = diffs.then(() => diffOf(blockHash))
      diffs = diff.catch(() => {})
      return diff
    },
    async prepareCalls() {
      await executorNow()
    },
  }
}
