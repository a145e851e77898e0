import { workerData } from 'node:worker_threads'
import { decodeRlp } from '../../../../base/encoding/rlp.js'
import type { Address, BlockHash } from '../../../../base/primitives/hashes.js'
import { decodeOwnBlock, encodeBlock } from '../../../../base/protocol/block.js'
import { LevelStore } from '../../../storage/level-store.js'
import type { BlockAttributes, ForkchoiceState } from '../../execution-client.js'
import type { Genesis } from '../../genesis.js'
import { ChainEngine } from '../engine/chain-engine.js'
import { type LinkMethods, serveLink, Transferred } from './serve-link.js'

/** What the execution thread starts from. */
export interface ExecutionWorkerData {
  readonly directory: string
  readonly genesis: Genesis
}

/** BlockAttributes as they cross threads: all transactions in one RLP list. */
export interface PackedAttributes extends Omit<BlockAttributes, 'transactions'> {
  readonly transactions: Uint8Array
}

serveLink(open(workerData as ExecutionWorkerData))

async function open({ directory, genesis }: ExecutionWorkerData): Promise<LinkMethods> {
  const store = await LevelStore.open({ path: directory, writeBufferBytes: 32 << 20, shared: true })
  const engine = await ChainEngine.open({ store, genesis, nowMs: () => performance.now() })
  return {
    head: () => engine.head,
    async buildBlock(attributes: PackedAttributes) {
      const transactions = decodeRlp(attributes.transactions) as readonly Uint8Array[]
      const { block, skipped } = await engine.buildBlock({ ...attributes, transactions })
      return handOver({ block: Uint8Array.from(encodeBlock(block)), skipped })
    },
    newPayload(encoded: Uint8Array, hash: BlockHash, senders: readonly (Address | null)[], limitMs?: number) {
      return engine.newPayload({ ...decodeOwnBlock(encoded), hash }, senders, limitMs)
    },
    mismatchOf: (blockHash: BlockHash) => engine.mismatchOf(blockHash),
    async forkchoiceUpdated(state: ForkchoiceState) {
      const change = await engine.forkchoiceUpdated(state)
      if (change === null) return null
      // The owner holds the block: it was built or handed in there.
      const { block: _block, ...effects } = change
      return effects
    },
    async close() {
      await engine.idle()
      await store.close()
    },
  }
}

function handOver<Value extends { readonly block: Uint8Array }>(value: Value): Transferred {
  return new Transferred(value, [value.block.buffer as ArrayBuffer])
}
