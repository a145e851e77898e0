import { keccak256Hex } from '../../base/crypto/keccak.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { concatBytes, hexToBytes, uintToBytes } from '../../base/primitives/bytes.js'
import { type Address, type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { BatchIndex, L1BlockNumber, SetId, Wei } from '../../base/primitives/quantities.js'
import { type BatchHeader, batchHash } from '../../base/protocol/batch-header.js'
import { ethDeposit, nextRollingHash } from '../../base/protocol/l1-message.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type {
  BlobSidecar,
  CommitBatchArguments,
  CommittedBatch,
  L1Block,
  L1Event,
  L1Reader,
  L1Submitter,
  L1TransactionOutcome,
} from './l1-client.js'
import { L1Error } from './l1-error.js'
import { type MemoryRollupState, type RollupRules, refuseCommit, refuseFinalize } from './memory-rollup.js'

export interface MemoryL1Config extends RollupRules {
  readonly domain: SigningDomain
  readonly sets: readonly SequencerSet[]
  readonly genesis: BatchHeader
  /** Seconds of block 0. */
  readonly startSec: number
  /** Seconds that a mined block adds unless told. */
  readonly blockSec: number
  /** Blocks behind the head that are finalized. */
  readonly finalityDepth: number
}

interface Transaction {
  readonly hash: Hash32
  readonly sender: Address
  readonly action:
    | { readonly type: 'deposit'; readonly to: Address; readonly amount: Wei }
    | { readonly type: 'commit'; readonly args: CommitBatchArguments }
    | { readonly type: 'finalize'; readonly batchIndex: BatchIndex }
}

interface MinedBlock {
  readonly header: L1Block
  readonly events: readonly L1Event[]
  readonly transactions: readonly Transaction[]
  readonly reverted: ReadonlySet<Hash32>
  /** State after the block. */
  readonly state: MemoryRollupState
}

/**
 * An L1 in memory that a script drives: it mines, reorganises and fails when told, and keeps the rules of the contracts at
 * the level of the ports (real signatures, no gas, no fees).
 */
export class MemoryL1 {
  private readonly blocks: MinedBlock[]
  private pool: Transaction[] = []
  private readonly waiting = new Set<() => void>()
  private count = 0
  private fork = 0
  private failures = 0
  /** Whether a block is made for each transaction at once. */
  automine = false

  constructor(private readonly config: MemoryL1Config) {
    const header = {
      number: 0,
      hash: keccak256Hex(uintToBytes(0, 32)),
      parentHash: zeroHash,
      timestamp: config.startSec,
    }
    const hash = batchHash(config.genesis)
    const state: MemoryRollupState = {
      batches: [{ header: config.genesis, hash, committedAt: config.startSec }],
      finalized: 0,
      messages: [],
    }
    this.blocks = [{ header, events: genesisEvents(hash), transactions: [], reverted: new Set(), state }]
  }

  /** Block of the newest number. */
  get head(): L1Block {
    return this.tip.header
  }

  /** Queues an ETH deposit for the next block. */
  deposit({ sender, to, amount }: { sender: Address; to: Address; amount: Wei }): Hash32 {
    return this.queue(sender, { type: 'deposit', to, amount })
  }

  /** Makes a block of all queued transactions. */
  mine({ timestamp }: { timestamp?: number } = {}): L1Block {
    const parent = this.tip.header
    const time = timestamp ?? parent.timestamp + this.config.blockSec
    const number = parent.number + 1
    const hash = keccak256Hex(encodeRlp([rlpHex(parent.hash), rlpUint(number), rlpUint(time), rlpUint(this.fork)]))
    const header = { number, hash, parentHash: parent.hash, timestamp: time }
    this.blocks.push(this.execute(header, this.pool))
    this.pool = []
    for (const wake of [...this.waiting]) wake()
    return header
  }

  /**
   * Drops the newest blocks and mines `blocks` others (as many unless told). Their transactions are lost, or with `requeue`
   * go into the new blocks, as from the pools of a real L1.
   */
  reorg({ depth, blocks = depth, requeue = false }: { depth: number; blocks?: number; requeue?: boolean }): void {
    invariant(depth < this.blocks.length, 'a reorg keeps the genesis block', { depth })
    const dropped = this.blocks.splice(this.blocks.length - depth)
    if (requeue) this.pool = [...dropped.flatMap(block => block.transactions), ...this.pool]
    this.fork++
    for (let i = 0; i < blocks; i++) this.mine()
  }

  /** Makes the next requests of readers and submitters fail as if L1 did not answer. */
  failNext(requests: number): void {
    this.failures = requests
  }

  /** A view of this L1. */
  reader(): L1Reader {
    const answer = <Value>(value: () => Value): Promise<Value> => this.answer(value)
    return {
      head: () => answer(() => this.head),
      finalized: () =>
        answer(() => this.blocks[Math.max(0, this.blocks.length - 1 - this.config.finalityDepth)]!.header),
      block: number => answer(() => this.blocks[number]?.header ?? null),
      events: ({ from, to }) => answer(() => this.blocks.slice(from, to + 1).flatMap(block => block.events)),
      committedBatch: hash => answer(() => this.committedBatch(hash)),
      blobs: args => answer(() => this.blobs(args)),
      sequencerSet: id => answer(() => this.set(id) ?? null),
      lastCommittedBatch: () => answer(() => this.tip.state.batches.length - 1),
      lastFinalizedBatch: () => answer(() => this.tip.state.finalized),
      committedAt: index => answer(() => this.tip.state.batches[index]?.committedAt ?? null),
    }
  }

  /** A submitter with this account; its transactions wait for the next block. */
  submitter(address: Address): L1Submitter {
    const now = () => this.tip.header.timestamp
    return {
      address,
      wouldCommit: args => this.answer(() => this.refuseCommit(this.tip.state, args, address, now())),
      wouldFinalize: ({ last }) => this.answer(() => refuseFinalize(this.tip.state, last, now(), this.config)),
      commitBatch: (args, signal) => this.send(address, { type: 'commit', args }, signal),
      finalizeBatch: ({ last }, signal) => this.send(address, { type: 'finalize', batchIndex: last }, signal),
    }
  }

  private get tip(): MinedBlock {
    return this.blocks[this.blocks.length - 1]!
  }

  private set(id: SetId): SequencerSet | undefined {
    return this.config.sets.find(set => set.setId === id)
  }

  private async answer<Value>(value: () => Value): Promise<Value> {
    if (this.failures > 0) {
      this.failures--
      throw new L1Error('L1_UNREACHABLE', 'L1 does not answer: told to fail')
    }
    return value()
  }

  private queue(sender: Address, action: Transaction['action']): Hash32 {
    const hash = keccak256Hex(concatBytes(hexToBytes(sender), uintToBytes(this.count++, 32)))
    this.pool.push({ hash, sender, action })
    if (this.automine) this.mine()
    return hash
  }

  private async send(
    sender: Address,
    action: Transaction['action'],
    signal: AbortSignal | undefined,
  ): Promise<L1TransactionOutcome> {
    const hash = await this.answer(() => this.queue(sender, action))
    for (;;) {
      const block = this.blocks.findLast(({ transactions }) => transactions.some(other => other.hash === hash))
      if (block) {
        const status = block.reverted.has(hash) ? 'reverted' : 'success'
        return { status, transactionHash: hash, l1BlockNumber: block.header.number }
      }
      if (signal?.aborted) return { status: 'pending' }
      await this.nextBlock(signal)
    }
  }

  private nextBlock(signal: AbortSignal | undefined): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        this.waiting.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.waiting.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  private execute(header: L1Block, transactions: readonly Transaction[]): MinedBlock {
    let state = this.tip.state
    const events: L1Event[] = []
    const reverted = new Set<Hash32>()
    for (const transaction of transactions) {
      const result = this.apply(state, transaction, header)
      if (!result) {
        reverted.add(transaction.hash)
        continue
      }
      state = result.state
      events.push(...result.events)
    }
    return { header, events, transactions, reverted, state }
  }

  /** State and events after a transaction, or null when it reverts. */
  private apply(
    state: MemoryRollupState,
    { hash, sender, action }: Transaction,
    { number, timestamp }: L1Block,
  ): { state: MemoryRollupState; events: L1Event[] } | null {
    switch (action.type) {
      case 'deposit': {
        const { to, amount } = action
        const index = state.messages.length
        const message = { kind: ethDeposit, index, sender, to, amount, data: new Uint8Array(), l1BlockNumber: number }
        const rollingHash = nextRollingHash(state.messages.at(-1)?.rollingHash ?? zeroHash, message)
        const messages = [...state.messages, { rollingHash, enqueuedAt: timestamp }]
        return { state: { ...state, messages }, events: [{ type: 'message', message, rollingHash }] }
      }
      case 'commit': {
        const { header, absent } = action.args
        if (this.refuseCommit(state, action.args, sender, timestamp)) return null
        const batches = [...state.batches, { header, hash: batchHash(header), committedAt: timestamp }]
        const event: L1Event = {
          type: 'batch-committed',
          batchIndex: header.batchIndex,
          batchHash: batchHash(header),
          setId: header.setId,
          absent,
          transactionHash: hash,
          l1BlockNumber: number,
        }
        return { state: { ...state, batches }, events: [event] }
      }
      case 'finalize': {
        if (refuseFinalize(state, action.batchIndex, timestamp, this.config)) return null
        const events = state.batches.slice(state.finalized + 1, action.batchIndex + 1).map(
          ({ header, hash: ofBatch }): L1Event => ({
            type: 'batch-finalized',
            batchIndex: header.batchIndex,
            batchHash: ofBatch,
            l1BlockNumber: number,
          }),
        )
        return { state: { ...state, finalized: action.batchIndex }, events }
      }
    }
  }

  private refuseCommit(state: MemoryRollupState, args: CommitBatchArguments, sender: Address, nowSec: number) {
    const set = this.set(args.header.setId)
    return refuseCommit({ state, args, set, sender, nowSec, rules: this.config, domain: this.config.domain })
  }

  private committedBatch(hash: Hash32): CommittedBatch | null {
    const found = this.blocks.flatMap(block => block.transactions).find(transaction => transaction.hash === hash)
    if (found?.action.type !== 'commit') return null
    const { header, absent, signature, blobs } = found.action.args
    return { header, absent, signature, blobVersionedHashes: blobs.map(blob => blob.versionedHash) }
  }

  private blobs({
    l1BlockNumber,
    versionedHashes,
  }: {
    l1BlockNumber: L1BlockNumber
    versionedHashes: readonly Hash32[]
  }): Uint8Array[] {
    const found = new Map<Hash32, BlobSidecar>()
    for (const { action } of this.blocks[l1BlockNumber]?.transactions ?? [])
      if (action.type === 'commit') for (const blob of action.args.blobs) found.set(blob.versionedHash, blob)
    return versionedHashes.map(hash => {
      const sidecar = found.get(hash)
      if (!sidecar) throw new L1Error('L1_BAD_ANSWER', 'the blob server of L1 did not give a blob', { hash })
      return sidecar.blob
    })
  }
}

function genesisEvents(hash: Hash32): L1Event[] {
  return [
    {
      type: 'batch-committed',
      batchIndex: 0,
      batchHash: hash,
      setId: 0,
      absent: 0n,
      transactionHash: zeroHash,
      l1BlockNumber: 0,
    },
    { type: 'batch-finalized', batchIndex: 0, batchHash: hash, l1BlockNumber: 0 },
  ]
}
