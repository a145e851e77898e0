import { toJson } from '../../../base/encoding/json.js'
import type { KeyValueStore } from '../../storage/key-value-store.js'
import type { ExecutionClient } from '../execution-client.js'
import type { Genesis } from '../genesis.js'
import { ChainEngine } from './engine/chain-engine.js'
import { createQueries } from './queries-of-store.js'

/**
 * The embedded execution client in the caller's own thread, over any store: deterministic, for simulations and tests. Calls
 * and blocks have no time limit. It owns the store and closes it. @throws ExecutionError GENESIS_MISMATCH, GENESIS_INVALID, STORE_CORRUPT
 */
export async function createInProcessExecution({
  store,
  genesis,
}: {
  readonly store: KeyValueStore
  readonly genesis: Genesis
}): Promise<ExecutionClient> {
  const engine = await ChainEngine.open({ store, genesis })
  const { queries, reads, stateDiffOf } = createQueries({ store, chainId: genesis.chainId })
  return {
    buildBlock: attributes => engine.buildBlock(attributes),
    newPayload: (block, senders, limitMs) => engine.newPayload(block, senders, limitMs),
    forkchoiceUpdated: state => engine.forkchoiceUpdated(state),
    head: async () => engine.head,
    labels: async () => reads.labels(),
    blockAt: async height => reads.blockAt(height),
    contextAt: async height => reads.contextAt(height),
    blockByHash: async hash => reads.blockByHash(hash),
    stateRootAt: async height => reads.stateRootAt(height),
    storageAt: async (address, slot, height) => reads.storageAt(address, slot, height),
    accounts: async addresses => reads.accounts(addresses),
    stateDiffOf: async blockHash => engine.mismatchOf(blockHash) ?? stateDiffOf(blockHash),
    request: (method, params, asker) => queries.request(method, params, asker?.signal),
    requestText: async (method, params, asker) => toJson(await queries.request(method, params, asker?.signal)),
    async close() {
      await engine.idle()
      await store.close()
    },
  }
}
