import type { NodeTerms } from '../../../src/app/node/assemble-node.js'
import { zeroHash } from '../../../src/base/primitives/hashes.js'
import { batchHash } from '../../../src/base/protocol/batch-header.js'
import type { Block } from '../../../src/base/protocol/block.js'
import { type L1Message, nextRollingHash } from '../../../src/base/protocol/l1-message.js'
import { brotliCodec } from '../../../src/io/compression/brotli-codec.js'
import { createInProcessExecution } from '../../../src/io/execution/embedded/in-process-execution.js'
import type { Genesis } from '../../../src/io/execution/genesis.js'
import type { L1Block, L1Event, L1Reader } from '../../../src/io/l1/l1-client.js'
import { MemoryStore } from '../../../src/io/storage/memory-store.js'
import type { ParentBlock } from '../../../src/rules/blocks/block-attributes.js'
import { deriveBlock, type L1History } from '../../../src/rules/derivation/derive-block.js'
import { openBatch } from '../../../src/rules/derivation/open-batch.js'
import type { Invariant, Violate } from './invariant-watch.js'

type Committed = Extract<L1Event, { type: 'batch-committed' }>

/** From genesis, the blobs and the events on L1 alone come the blocks that were decided, hash for hash. */
export function derivability({
  terms,
  genesis,
  reader,
  decided,
  violate,
}: {
  terms: NodeTerms
  genesis: Genesis
  reader: L1Reader
  decided: readonly Block[]
  violate: Violate
}): Invariant {
  return {
    name: 'derivability',
    async atEnd() {
      const { history, batches, messages } = await readL1(reader)
      const execution = await createInProcessExecution({ store: new MemoryStore(), genesis })
      let parent: ParentBlock = { ...(await execution.blockAt(0))!, feeCarryWei: 0n }
      let parentBatch = batchHash(terms.genesisBatch)
      for (const event of batches) {
        const committed = (await reader.committedBatch(event.transactionHash))!
        const { header } = committed
        if (batchHash(header) !== event.batchHash || header.parentBatchHash !== parentBatch)
          return violate(`batch ${header.batchIndex} does not continue batch ${header.batchIndex - 1}`)
        parentBatch = event.batchHash
        const { l1BlockNumber } = event
        const blobs = await reader.blobs({ l1BlockNumber, versionedHashes: committed.blobVersionedHashes })
        const { genesisSet: set } = terms
        const protocol = terms.protocol.at(header.firstBlock)
        for (const block of openBatch({ header, blobs, codec: brotliCodec }).blocks) {
          const next = deriveBlock({ block, parent, l1: history, set, protocol })
          const height = parent.header.number + 1
          if (!next.ok) return violate(`block ${height} cannot be derived: ${next.error}`)
          const { block: built } = await execution.buildBlock(next.value.attributes)
          await execution.forkchoiceUpdated({ head: built.hash, safe: built.hash, finalized: built.hash })
          if (built.hash !== decided[height]?.hash)
            return violate(`block ${height} is derived as ${built.hash}, decided as ${decided[height]?.hash}`)
          parent = { ...built, feeCarryWei: next.value.feeCarryWei }
        }
        const consumed = messages.slice(0, header.messagesConsumed).reduce(nextRollingHash, zeroHash)
        if (parent.hash !== header.lastBlockHash || consumed !== header.messagesRollingHash)
          return violate(`batch ${header.batchIndex} does not say what its blocks do`)
      }
    },
  }
}

/** L1 as derivation reads it. */
async function readL1(reader: L1Reader) {
  const { number: last } = await reader.head()
  const events = await reader.events({ from: 0, to: last })
  const blocks: L1Block[] = []
  for (let number = 0; number <= last; number++) blocks.push((await reader.block(number))!)
  const messages: L1Message[] = events.flatMap(event => (event.type === 'message' ? [event.message] : []))
  const batches = events.filter((event): event is Committed => event.type === 'batch-committed' && event.batchIndex > 0)
  const history: L1History = {
    blockHash: number => blocks[number]?.hash ?? null,
    messages: (from, to) => messages.slice(from, to),
  }
  return { history, batches, messages }
}
