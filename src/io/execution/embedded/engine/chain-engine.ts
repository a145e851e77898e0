import { hexToBytes } from '../../../../base/primitives/bytes.js'
import { type Address, type BlockHash, zeroHash } from '../../../../base/primitives/hashes.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { Block } from '../../../../base/protocol/block.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { KeyValueStore } from '../../../storage/key-value-store.js'
import type {
  BlockAttributes,
  BlockStateDiff,
  BuiltBlock,
  ForkchoiceState,
  HeadChange,
  PayloadStatus,
} from '../../execution-client.js'
import { ExecutionError } from '../../execution-error.js'
import type { Genesis } from '../../genesis.js'
import { BoundedMap } from '../state/bounded-map.js'
import { FlatState } from '../state/flat-state.js'
import { NodeCache } from '../state/node-cache.js'
import { ChainStore, type ExecutedBlock } from '../store/chain-store.js'
import { blockStateDiff } from './block-state-diff.js'
import { buildBlock } from './build-block.js'
import { Candidates } from './candidates.js'
import { EvmMachine } from './evm-environment.js'
import { genesisBlock } from './genesis-block.js'
import { headChangeOf } from './head-change.js'
import { importBlock } from './import-block.js'
import type { ParentBlock } from './parent-block.js'

/** Blocks with other roots than they claim whose states are kept to be explained. */
const maxMismatches = 4

/** Executes blocks, keeps candidates, and moves the stored head. Its methods run one after the other. */
export class ChainEngine {
  private readonly candidates = new Candidates()
  private readonly mismatches = new BoundedMap<BlockHash, BlockStateDiff>(maxMismatches)
  private turn: Promise<unknown> = Promise.resolve()

  private constructor(
    private readonly machine: EvmMachine,
    readonly chain: ChainStore,
    private readonly flat: FlatState,
    private headBlock: { readonly hash: BlockHash; readonly header: BlockHeader },
  ) {}

  /**
   * Opens the chain in the store, or begins it from genesis. `nowMs` measures what has a time limit; without it nothing has one.
   * @throws ExecutionError GENESIS_MISMATCH, GENESIS_INVALID, STORE_CORRUPT
   */
  static async open({
    store,
    genesis,
    nowMs,
  }: {
    readonly store: KeyValueStore
    readonly genesis: Genesis
    readonly nowMs?: () => number
  }): Promise<ChainEngine> {
    const chain = new ChainStore(store)
    const first = genesisBlock(genesis)
    const stored = chain.genesisHash()
    if (stored === null) await chain.write([first], { head: 0, safe: 0, finalized: 0 })
    else if (stored !== first.block.hash)
      throw new ExecutionError(
        'GENESIS_MISMATCH',
        `the data directory holds a chain that begins with ${stored}, but this network's begins with ${first.block.hash}`,
        { stored, expected: first.block.hash },
      )
    const { head } = chain.heads()
    const flat = new FlatState(store, new NodeCache(store), hexToBytes(head.stateRoot))
    const machine = await EvmMachine.create(genesis.chainId, nowMs && { nowMs })
    return new ChainEngine(machine, chain, flat, { hash: chain.hashAt(head.number)!, header: head })
  }

  get head(): { readonly hash: BlockHash; readonly header: BlockHeader } {
    return this.headBlock
  }

  /** @throws ExecutionError UNKNOWN_PARENT, TRANSACTION_REFUSED, INVALID_ATTRIBUTES */
  buildBlock(attributes: BlockAttributes): Promise<BuiltBlock> {
    return this.inTurn(async () => {
      const parent = this.parentOf(attributes.parentHash)
      if (parent === null)
        throw new ExecutionError(
          'UNKNOWN_PARENT',
          `the parent ${attributes.parentHash} is neither the head nor a candidate`,
        )
      const { executed, skipped } = await buildBlock({
        machine: this.machine,
        parent,
        attributes,
      })
      this.candidates.add(executed)
      return { block: executed.block, skipped }
    })
  }

  newPayload(
    block: Block,
    senders: readonly (Address | null)[] = [],
    limitMs?: number | undefined,
  ): Promise<PayloadStatus> {
    return this.inTurn(async () => {
      const known = this.candidates.get(block.hash)
      // Who heard that it is valid may choose it: it counts as new again.
      if (known) this.candidates.add(known)
      if (known || this.chain.heightOf(block.hash) !== null) return { status: 'VALID' }
      const parent = this.parentOf(block.header.parentHash)
      if (parent === null) return { status: 'SYNCING' }
      const result = await importBlock({
        machine: this.machine,
        limitMs,
        parent,
        block,
        senders,
      })
      if ('reason' in result) {
        if (result.isTimedOut) return { status: 'TIMED_OUT' }
        if (result.state !== null) this.mismatches.set(block.hash, blockStateDiff(block, result.state))
        return { status: 'INVALID', reason: result.reason }
      }
      this.candidates.add(result.executed)
      return { status: 'VALID' }
    })
  }

  /** What one of the last refused blocks changed that ran to its end and came to other roots than it claims. */
  mismatchOf(blockHash: BlockHash): BlockStateDiff | null {
    return this.mismatches.get(blockHash) ?? null
  }

  /** @throws ExecutionError UNKNOWN_BLOCK */
  forkchoiceUpdated({ head, safe, finalized }: ForkchoiceState): Promise<HeadChange | null> {
    return this.inTurn(async () => {
      const path = this.candidates.pathFrom(this.headBlock.hash, head)
      if (path === null)
        throw new ExecutionError(
          'UNKNOWN_BLOCK',
          `the head ${head} is neither this client's head nor a candidate after it`,
        )
      const heads = {
        head: this.headBlock.header.number + path.length,
        safe: this.heightIn(path, safe, 'safe'),
        finalized: this.heightIn(path, finalized, 'finalized'),
      }
      if (path.length === 0) {
        const now = this.chain.headHeights()
        if (now.safe !== heads.safe || now.finalized !== heads.finalized) await this.chain.write([], heads)
        return null
      }
      await this.chain.write(path, heads)
      return this.adopt(path)
    })
  }

  /** Lets the methods that were called finish. */
  async idle(): Promise<void> {
    await this.turn
  }

  private adopt(path: readonly ExecutedBlock[]): HeadChange {
    const change = headChangeOf(path, this.flat)
    for (const { state } of path) this.flat.advance(state)
    const { hash, header } = change.block
    this.headBlock = { hash, header }
    this.candidates.settle(hash, this.flat)
    return change
  }

  private heightIn(path: readonly ExecutedBlock[], hash: BlockHash, label: string): Height {
    if (hash === zeroHash) return 0
    const height = path.find(({ block }) => block.hash === hash)?.block.header.number ?? this.chain.heightOf(hash)
    if (height === null)
      throw new ExecutionError('UNKNOWN_BLOCK', `the ${label} block ${hash} is not on the chain of the head`)
    return height
  }

  private parentOf(hash: BlockHash): ParentBlock | null {
    if (hash === this.headBlock.hash) {
      return { ...this.headBlock, state: this.flat, hashAt: height => this.chain.hashAt(height) }
    }
    const path = this.candidates.pathFrom(this.headBlock.hash, hash)
    const candidate = path?.at(-1)
    if (path === null || candidate === undefined) return null
    const stored = this.headBlock.header.number
    return {
      hash,
      header: candidate.block.header,
      state: candidate.state,
      hashAt: height => (height > stored ? (path[height - stored - 1]?.block.hash ?? null) : this.chain.hashAt(height)),
    }
  }

  private inTurn<Value>(task: () => Promise<Value>): Promise<Value> {
    const result = this.turn.then(task)
    this.turn = result.catch(() => {})
    return result
  }
}
