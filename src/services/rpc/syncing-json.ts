import type { Hex } from '../../base/primitives/bytes.js'
import { toQuantity } from '../../io/execution/embedded/queries/hex-arguments.js'
import type { SyncProgress } from './rpc-ports.js'

/** Progress in the form of eth_syncing. */
export function syncingJson({ startingBlock, currentBlock, highestBlock }: SyncProgress): Record<string, Hex> {
  return {
    startingBlock: toQuantity(startingBlock),
    currentBlock: toQuantity(currentBlock),
    highestBlock: toQuantity(highestBlock),
  }
}
