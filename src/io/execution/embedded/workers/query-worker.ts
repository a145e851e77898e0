import { workerData } from 'node:worker_threads'
import { toJson } from '../../../../base/encoding/json.js'
import type { Address, BlockHash, Hash32 } from '../../../../base/primitives/hashes.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { Block } from '../../../../base/protocol/block.js'
import { encodeBlock } from '../../../../base/protocol/block.js'
import { LevelStore } from '../../../storage/level-store.js'
import { lowerThreadPriority } from '../../../workers/thread-priority.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'
import { createQueries } from '../queries-of-store.js'
import { CallTimer, type TimeLimit } from './call-timer.js'
import { type LinkMethods, serveLink } from './serve-link.js'

/** What a query thread starts from. */
export interface QueryWorkerData extends TimeLimit {
  readonly directory: string
  readonly chainId: number
  readonly niceness: number
  /** Characters of one answer. */
  readonly maxAnswerLength: number
  /** One 32-bit cell: the number of the request that is to stop. */
  readonly stop: SharedArrayBuffer
}

serveLink(open(workerData as QueryWorkerData))

async function open({
  directory,
  chainId,
  niceness,
  runsCalls,
  timeoutMs,
  maxAnswerLength,
  stop,
}: QueryWorkerData): Promise<LinkMethods> {
  lowerThreadPriority(niceness)
  const store = await LevelStore.open({ path: directory, writeBufferBytes: 32 << 20, shared: true })
  const timer = new CallTimer({ timeoutMs, runsCalls }, stop)
  const { queries, reads, prepareCalls, stateDiffOf } = createQueries({ store, chainId, timer })
  if (runsCalls) await prepareCalls()
  const encoded = (block: Block | null) => (block === null ? null : encodeBlock(block))
  return {
    request: (number: number, method: string, params: readonly unknown[]) =>
      timer.measure(number, () => queries.request(method, params)),
    requestText: (number: number, method: string, params: readonly unknown[]) =>
      timer.measure(number, async () => bounded(toJson(await queries.request(method, params)), maxAnswerLength)),
    blockAt: (height: Height) => encoded(reads.blockAt(height)),
    contextAt: (number: number, height: Height) => timer.measure(number, async () => reads.contextAt(height)),
    blockByHash: (hash: BlockHash) => encoded(reads.blockByHash(hash)),
    labels: () => reads.labels(),
    stateRootAt: (height: Height) => reads.stateRootAt(height),
    storageAt: (address: Address, slot: Hash32, height: Height) => reads.storageAt(address, slot, height),
    accounts: (addresses: readonly Address[]) => reads.accounts(addresses),
    stateDiffOf: (number: number, blockHash: BlockHash) => timer.measure(number, () => stateDiffOf(blockHash)),
    close: () => store.close(),
  }
}

function bounded(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text
  const message = `the answer has more than ${maxLength} characters`
  throw new ExecutionRpcError({ code: rpcErrorCodes.limitExceeded, message })
}
