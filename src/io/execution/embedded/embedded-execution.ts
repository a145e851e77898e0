import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeRlp } from '../../../base/encoding/rlp.js'
import type { Address, BlockHash } from '../../../base/primitives/hashes.js'
import { invariant } from '../../../base/primitives/invariant.js'
import { type Block, decodeOwnBlock, encodeBlock } from '../../../base/protocol/block.js'
import type { BlockContext } from '../../../base/protocol/block-context.js'
import type { BlockHeader } from '../../../base/protocol/block-header.js'
import type { Logger } from '../../telemetry/logger.js'
import type {
  AccountState,
  Asker,
  BlockAttributes,
  BlockStateDiff,
  BuiltBlock,
  ExecutionClient,
  ForkchoiceState,
  HeadChange,
  PayloadStatus,
} from '../execution-client.js'
import { ExecutionError } from '../execution-error.js'
import type { Genesis } from '../genesis.js'
import type { ExecutionWorkerData, PackedAttributes } from './workers/execution-worker.js'
import { QueryLane } from './workers/query-lane.js'
import { closedError, QueryThread } from './workers/query-thread.js'
import { WorkerLink } from './workers/worker-link.js'
import { executionWorkerScript } from './workers/worker-scripts.js'

/** Bounds of queries. */
export interface QueryBounds {
  /** Longest that a query runs. */
  readonly timeoutMs: number
  /** Calls (eth_call, eth_estimateGas) that may wait, callers in turn: who has most of them gives way. */
  readonly maxWaitingCalls: number
  /** Queries of logs, of a whole block's receipts and of the fees of more than ten blocks that may wait. */
  readonly maxWaitingLongQueries: number
  /** Other queries that may wait. */
  readonly maxWaitingQueries: number
  /** Characters of one answer: all receipts of a full block have fewer. */
  readonly maxAnswerLength: number
}

const defaultBounds: QueryBounds = {
  timeoutMs: 5_000,
  maxWaitingCalls: 256,
  maxWaitingLongQueries: 64,
  maxWaitingQueries: 1_024,
  maxAnswerLength: 32 << 20,
}

/** Valid candidates kept on this side of the thread; the thread itself holds fewer. */
const maxRemembered = 8

/** Methods that may read hundreds or thousands of blocks, or answer with all logs of one. */
const longQueryMethods = new Set(['eth_getLogs', 'eth_getBlockReceipts', 'eth_feeHistory'])
/** Blocks of an eth_feeHistory that is no long query: wallets ask for 5 or 10, and wait for the answer. */
const shortFeeHistory = 10

function isLongQuery(method: string, params: readonly unknown[]): boolean {
  if (method === 'eth_feeHistory' && Number(params[0]) <= shortFeeHistory) return false
  return longQueryMethods.has(method)
}

/** Methods that execute code. */
const callMethods = new Set(['eth_call', 'eth_estimateGas', 'eth_createAccessList', 'eth_simulateV1'])

/**
 * The embedded execution client: an EVM in this process on a LevelDB in `dataDir`. One thread executes blocks, others of lower
 * priority read: one for the owner and three for callers, so that calls never delay blocks, nor queries the owner's reads.
 * `onFailure` hears when the execution thread died: the client is then of no more use. @throws ExecutionError GENESIS_MISMATCH, GENESIS_INVALID, STORE_CORRUPT @throws MorphismError of the store
 */
export async function createEmbeddedExecution({
  dataDir,
  genesis,
  logger,
  onFailure,
  bounds = {},
}: {
  readonly dataDir: string
  readonly genesis: Genesis
  readonly logger: Logger
  readonly onFailure?: (error: ExecutionError) => void
  readonly bounds?: Partial<QueryBounds>
}): Promise<ExecutionClient> {
  const directory = join(dataDir, 'execution')
  try {
    await mkdir(directory, { recursive: true })
  } catch (cause) {
    throw new ExecutionError('STORE_FAILED', `the directory ${directory} cannot be made`, { directory }, { cause })
  }
  const data: ExecutionWorkerData = { directory, genesis }
  const link = new WorkerLink({ script: executionWorkerScript, name: 'execution', data, youngGenerationMb: 128 })
  let head: ChainHead
  try {
    head = await link.call<ChainHead>('head', [])
  } catch (error) {
    await link.terminate()
    throw error
  }
  const client = new EmbeddedExecution({
    link,
    head,
    directory,
    chainId: genesis.chainId,
    bounds: { ...defaultBounds, ...bounds },
  })
  void link.died.then(error => {
    if (client.isClosed) return
    logger.error('the execution thread died', { error: error.message })
    onFailure?.(error)
  })
  return client
}

interface ChainHead {
  readonly hash: BlockHash
  readonly header: BlockHeader
}

/** Passes the port's calls on to the threads. */
class EmbeddedExecution implements ExecutionClient {
  isClosed = false
  private readonly link: WorkerLink
  /** What callers ask, each kind on a thread of its own. */
  private readonly calls: QueryLane
  private readonly longQueries: QueryLane
  private readonly queries: QueryLane
  /** What the owner itself asks. */
  private readonly reads: QueryThread
  private readonly candidates = new Map<BlockHash, Block>()
  private currentHead: ChainHead

  constructor({
    link,
    head,
    directory,
    chainId,
    bounds: { timeoutMs, maxWaitingCalls, maxWaitingLongQueries, maxWaitingQueries, maxAnswerLength },
  }: {
    link: WorkerLink
    head: ChainHead
    directory: string
    chainId: number
    bounds: QueryBounds
  }) {
    this.link = link
    this.currentHead = head
    const shared = { directory, chainId, timeoutMs, maxAnswerLength, niceness: 5, runsCalls: false }
    this.calls = new QueryLane({
      ...shared,
      name: 'calls',
      niceness: 19,
      runsCalls: true,
      maxWaiting: maxWaitingCalls,
    })
    this.longQueries = new QueryLane({
      ...shared,
      name: 'long queries',
      niceness: 10,
      maxWaiting: maxWaitingLongQueries,
    })
    this.queries = new QueryLane({ ...shared, name: 'queries', maxWaiting: maxWaitingQueries })
    this.reads = new QueryThread({ ...shared, name: 'reads' })
    // The threads of queries start with the first of them: many nodes are never asked.
    this.reads.warm()
  }

  async buildBlock(attributes: BlockAttributes): Promise<BuiltBlock> {
    const transactions = encodeRlp(attributes.transactions)
    const packed: PackedAttributes = { ...attributes, transactions }
    const built = await this.execute<{ block: Uint8Array; skipped: BuiltBlock['skipped'] }>(
      'buildBlock',
      [packed],
      [transactions],
    )
    return { block: this.remember(decodeOwnBlock(built.block)), skipped: built.skipped }
  }

  async newPayload(block: Block, senders: readonly (Address | null)[] = [], limitMs?: number): Promise<PayloadStatus> {
    if (this.candidates.has(block.hash)) return { status: 'VALID' }
    const encoded = Uint8Array.from(encodeBlock(block))
    const status = await this.execute<PayloadStatus>('newPayload', [encoded, block.hash, senders, limitMs], [encoded])
    if (status.status === 'VALID') this.remember(block)
    return status
  }

  async forkchoiceUpdated(state: ForkchoiceState): Promise<HeadChange | null> {
    const change = await this.execute<Omit<HeadChange, 'block'> | null>('forkchoiceUpdated', [state])
    if (change === null) return null
    const block = this.candidates.get(state.head) ?? (await this.blockByHash(state.head))
    invariant(block, 'the new head is a block that was never handed in', { head: state.head })
    this.candidates.clear()
    this.currentHead = { hash: block.hash, header: block.header }
    // Not sooner: loading an EVM would take CPU from a network that starts.
    this.calls.warm()
    return { ...change, block }
  }

  /** Keeps a valid child of the head on this side, so that neither it nor its verdict need cross the threads again. */
  private remember(block: Block): Block {
    this.candidates.set(block.hash, block)
    if (this.candidates.size > maxRemembered) this.candidates.delete(this.candidates.keys().next().value!)
    return block
  }

  async head(): Promise<ChainHead> {
    return this.currentHead
  }

  labels(): ReturnType<ExecutionClient['labels']> {
    return this.reads.call('labels', [])
  }

  blockAt(height: number): Promise<Block | null> {
    return this.readBlock('blockAt', height)
  }

  contextAt(height: number, asker?: Asker): Promise<BlockContext | null> {
    if (this.isClosed) return Promise.reject(closedError())
    return this.queries.query('contextAt', [height], asker)
  }

  blockByHash(hash: BlockHash): Promise<Block | null> {
    return this.readBlock('blockByHash', hash)
  }

  stateRootAt(height: number): Promise<BlockHash | null> {
    return this.reads.call('stateRootAt', [height])
  }

  storageAt(...place: Parameters<ExecutionClient['storageAt']>): ReturnType<ExecutionClient['storageAt']> {
    return this.reads.call('storageAt', place)
  }

  async accounts(addresses: readonly Address[]): Promise<readonly AccountState[]> {
    for (;;) {
      const { hash } = this.currentHead
      const states = await this.reads.call<readonly AccountState[]>('accounts', [addresses])
      // An answer that was read before a head of which the caller has heard by now would be stale.
      if (hash === this.currentHead.hash) return states
    }
  }

  async stateDiffOf(blockHash: BlockHash, asker?: Asker): Promise<BlockStateDiff | null> {
    const mismatch = await this.execute<BlockStateDiff | null>('mismatchOf', [blockHash])
    return mismatch ?? this.calls.query('stateDiffOf', [blockHash], asker)
  }

  request(method: string, params: readonly unknown[], asker?: Asker): Promise<unknown> {
    if (this.isClosed) return Promise.reject(closedError())
    return this.laneOf(method, params).query('request', [method, params], asker)
  }

  requestText(method: string, params: readonly unknown[], asker?: Asker): Promise<string> {
    if (this.isClosed) return Promise.reject(closedError())
    return this.laneOf(method, params).query('requestText', [method, params], asker)
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await Promise.all([this.calls, this.longQueries, this.queries, this.reads].map(thread => thread.close()))
    // A thread that died has nothing left to close.
    await this.link.call('close', []).catch(() => {})
    await this.link.terminate()
  }

  private laneOf(method: string, params: readonly unknown[]): QueryLane {
    if (callMethods.has(method)) return this.calls
    return isLongQuery(method, params) ? this.longQueries : this.queries
  }

  private async readBlock(method: string, argument: unknown): Promise<Block | null> {
    const encoded = await this.reads.call<Uint8Array | null>(method, [argument])
    return encoded === null ? null : decodeOwnBlock(encoded)
  }

  private execute<Value>(
    method: string,
    args: readonly unknown[],
    handOver: readonly Uint8Array[] = [],
  ): Promise<Value> {
    if (this.isClosed) return Promise.reject(closedError())
    return this.link.call<Value>(
      method,
      args,
      handOver.map(bytes => bytes.buffer as ArrayBuffer),
    )
  }
}
