import { setMaxListeners } from 'node:events'
import type { Hash32 } from '../../base/primitives/hashes.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { BatchIndex, L1BlockNumber } from '../../base/primitives/quantities.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { L1Block, L1Reader } from '../../io/l1/l1-client.js'
import { L1Error } from '../../io/l1/l1-error.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { type CommittedBatchRecord, L1View } from './l1-view.js'

export interface L1FollowerConfig {
  readonly parameters: Pick<ProtocolParameters, 'l1Confirmations'>
  /** L1 block of the first contract. */
  readonly startBlock: L1BlockNumber
  /** Pause between polls while a block of L1 is due. */
  readonly pollMs: number
  /** Longest pause, while no block is due and after failures, which double it from `pollMs`; 10,000 unless told. */
  readonly maxPauseMs?: number
  /** Blocks fetched at once while catching up; 64 unless told. */
  readonly windowBlocks?: number
}

export interface L1FollowerPorts {
  readonly reader: Pick<L1Reader, 'head' | 'finalized' | 'block' | 'events'>
  /** Its keys begin with `l1/`. */
  readonly store: KeyValueStore
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** How following goes. */
export interface L1FollowerHealth {
  /** Clock time of the last poll that succeeded. */
  readonly lastSuccessMs: number | null
  /** Why the last poll failed, or null. */
  readonly error: string | null
  /** L1 blocks that are known to exist and not yet followed. */
  readonly behind: number
}

/**
 * One node's view of L1: the canonical blocks, the messages and the batches, read from memory and the local store. It goes
 * back when L1 reorganises; when L1 does not answer it keeps the last view.
 */
export interface L1Follower extends AsyncDisposable {
  /** The newest followed block. */
  head(): L1Block | null
  /** The newest block that is deep enough to be the L1 origin of an L2 block. */
  eligibleOrigin(): L1Block | null
  canonical(number: L1BlockNumber): L1Block | null
  /** Messages from index `from` on, in L1 blocks up to and with `upToL1Block`, at most `limit`. */
  messages(args: { from: number; upToL1Block: L1BlockNumber; limit: number }): L1Message[]
  /** Messages in L1 blocks up to and with this one. */
  messageCountAt(l1BlockNumber: L1BlockNumber): number
  /** Rolling hash of the first `count` messages, or null when there are not so many. */
  rollingHashAt(count: number): Hash32 | null
  committedBatch(index: BatchIndex): CommittedBatchRecord | null
  lastCommitted(): BatchIndex
  lastFinalized(): BatchIndex
  /** Calls the handler after each change of the view. */
  onChange(handler: () => void): () => void
  /** Polls now; resolves when a poll that began after the call is over, successful or not. */
  refresh(): Promise<void>
  health(): L1FollowerHealth
}

/** Starts following at once. */
export function createL1Follower({ config, ports }: { config: L1FollowerConfig; ports: L1FollowerPorts }): L1Follower {
  const follower = new Follower(config, ports)
  void follower.refresh()
  return follower
}

/** Blocks that are compared one by one to find where a reorg began; from there in steps that double. */
const shallowReorg = 16
/** Times that one poll goes back: an endpoint that answers from ever another chain is asked again after a pause. */
const maxReorgsOfPoll = 4
/** Blocks that are read again when events contradict those before; 16 times as many after twice as many failures. */
const rereadBlocks = 64
/** Intervals of L1 of which the shortest counts: a slot without a block, or a clock that was set, makes single ones long. */
const rememberedIntervals = 8

class Follower implements L1Follower {
  private readonly view: L1View
  private readonly reader: L1FollowerPorts['reader']
  private readonly handlers = new Set<() => void>()
  private readonly metrics
  /** What L1 tells to be final; the view may not have come to it yet, or be on a fork that lost. */
  private toldFinal: L1Block | null = null
  /** The newest block of the view that is known to be final. */
  private finalNumber: L1BlockNumber = -1
  private l1Head: L1BlockNumber = 0
  private running: Promise<void> = Promise.resolve()
  private queued: Promise<void> | null = null
  private cancelTimer = () => {}
  private failures = 0
  private lastSuccessMs: number | null = null
  private error: string | null = null
  /** Where events contradicted those before them, and how often since. */
  private contradiction: { at: L1BlockNumber; times: number } | null = null
  private readonly stopping = new AbortController()

  constructor(
    private readonly config: L1FollowerConfig,
    private readonly ports: L1FollowerPorts,
  ) {
    const { metrics, logger } = ports
    this.view = new L1View(ports.store, config.startBlock)
    this.reader = unlessAborted(ports.reader, this.stopping.signal)
    if (this.view.isStartChanged)
      logger.warn('L1 was followed from another start block: it is read anew', { startBlock: config.startBlock })
    this.metrics = {
      head: metrics.gauge('morphism_l1_head_number', 'Newest followed L1 block'),
      committed: metrics.gauge('morphism_l1_committed_batch_number', 'Newest batch that L1 accepted'),
      finalized: metrics.gauge('morphism_l1_finalized_batch_number', 'Newest batch that is final on L1'),
      failures: metrics.counter('morphism_l1_poll_failures_total', 'Polls of L1 that failed'),
      reorgs: metrics.counter('morphism_l1_reorgs_total', 'Times that L1 replaced followed blocks'),
    }
  }

  head(): L1Block | null {
    return this.view.head
  }

  eligibleOrigin(): L1Block | null {
    const { l1Confirmations } = this.config.parameters
    const head = this.view.head
    if (!head) return null
    return this.view.block(l1Confirmations === 'finalized' ? this.finalNumber : head.number - l1Confirmations)
  }

  canonical(number: L1BlockNumber): L1Block | null {
    return this.view.block(number)
  }

  messages(args: { from: number; upToL1Block: L1BlockNumber; limit: number }): L1Message[] {
    const upTo = this.view.messageCountAt(args.upToL1Block)
    return this.view.messages({ from: args.from, upTo, limit: args.limit })
  }

  messageCountAt(l1BlockNumber: L1BlockNumber): number {
    return this.view.messageCountAt(l1BlockNumber)
  }

  rollingHashAt(count: number): Hash32 | null {
    return this.view.rollingHashAt(count)
  }

  committedBatch(index: BatchIndex): CommittedBatchRecord | null {
    return this.view.committedBatch(index)
  }

  lastCommitted(): BatchIndex {
    return this.view.lastCommitted
  }

  lastFinalized(): BatchIndex {
    return this.view.lastFinalized
  }

  onChange(handler: () => void): () => void {
    this.handlers.add(handler)
    return () => this.handlers.delete(handler)
  }

  health(): L1FollowerHealth {
    const behind = Math.max(0, this.l1Head - (this.view.head?.number ?? this.config.startBlock - 1))
    return { lastSuccessMs: this.lastSuccessMs, error: this.error, behind }
  }

  refresh(): Promise<void> {
    if (this.closed) return this.running
    this.queued ??= this.running.then(() => {
      this.queued = null
      this.running = this.pollOnce()
      return this.running
    })
    return this.queued
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort()
    this.cancelTimer()
    await (this.queued ?? this.running)
  }

  private get closed(): boolean {
    return this.stopping.signal.aborted
  }

  private async pollOnce(): Promise<void> {
    this.cancelTimer()
    try {
      if (!this.closed) await this.poll()
      this.succeeded()
    } catch (error) {
      if (!this.closed) this.failed(error)
    }
    if (this.closed) return
    this.cancelTimer = this.ports.clock.schedule(this.pauseMs(), () => void this.refresh())
  }

  private pauseMs(): number {
    const { pollMs, maxPauseMs = 10_000 } = this.config
    const wanted = this.failures > 0 ? pollMs * 2 ** Math.min(this.failures, 16) : this.untilDueMs()
    return Math.max(pollMs, Math.min(wanted, maxPauseMs))
  }

  /** Until the next block of L1 is due by this node's clock; never longer than L1's interval, however wrong a clock is. */
  private untilDueMs(): number {
    const head = this.view.head
    if (!head) return 0
    let intervalSec = Number.POSITIVE_INFINITY
    for (let block = head, i = 0; i < rememberedIntervals; i++) {
      const parent = this.view.block(block.number - 1)
      if (!parent) break
      intervalSec = Math.min(intervalSec, block.timestamp - parent.timestamp)
      block = parent
    }
    if (!Number.isFinite(intervalSec)) return 0
    return Math.min(intervalSec * 1_000, (head.timestamp + intervalSec) * 1_000 - this.ports.clock.nowMs())
  }

  private succeeded(): void {
    if (this.error !== null) this.ports.logger.info('L1 is followed again', { failures: this.failures })
    this.error = null
    this.failures = 0
    this.lastSuccessMs = this.ports.clock.nowMs()
  }

  private failed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    this.failures++
    this.metrics.failures.inc()
    if (this.error !== text) {
      const data = error instanceof MorphismError ? { code: error.code, ...error.data } : {}
      this.ports.logger.error('L1 cannot be followed: the last view stays', { reason: text, ...data })
    }
    this.error = text
  }

  private async poll(): Promise<void> {
    let target = await this.readHead()
    if (this.config.parameters.l1Confirmations === 'finalized') {
      const told = await this.reader.finalized()
      const isNew = told.hash !== this.toldFinal?.hash
      this.toldFinal = told
      if (isNew) this.changed()
    }
    for (let reorgs = 0; !this.closed; ) {
      const step = await this.advance(target)
      if (step === 'done') return
      if (step === 'advanced') continue
      if (++reorgs === maxReorgsOfPoll) throw new L1Error('L1_BAD_ANSWER', 'L1 answers from ever another chain')
      // What was read before may be of the chain that lost.
      target = await this.readHead()
    }
  }

  private async readHead(): Promise<L1Block> {
    const head = await this.reader.head()
    this.l1Head = head.number
    return head
  }

  /** One step towards the head of L1, or back to where it was reorganised. */
  private async advance(target: L1Block): Promise<'advanced' | 'went-back' | 'done'> {
    const ours = this.view.head
    if (ours && target.number <= ours.number) {
      // An endpoint that lags behind shows an older block of the same chain: that is no reorg.
      if (this.isOurs(target) || target.number < this.config.startBlock) return 'done'
      await this.goBack(ours, target)
      return 'went-back'
    }
    const from = ours ? ours.number + 1 : this.config.startBlock
    if (from > target.number) return 'done'
    const to = Math.min(target.number, from + (this.config.windowBlocks ?? 64) - 1)
    const blocks = from === target.number ? [target] : await this.fetchBlocks(from, to)
    if (!blocks) return 'done'
    if (ours && blocks[0]!.parentHash !== ours.hash) {
      await this.goBack(ours, blocks[0]!)
      return 'went-back'
    }
    const events = await this.reader.events({ from, to })
    // L1 may have changed between the two requests; then the events may be those of other blocks.
    if ((await this.reader.block(to))?.hash !== blocks.at(-1)!.hash) return 'done'
    try {
      await this.view.extend(blocks, events)
    } catch (error) {
      if (error instanceof L1Error) await this.contradicted(from)
      throw error
    }
    if (this.contradiction && this.contradiction.at <= to) this.contradiction = null
    this.changed()
    return to < target.number ? 'advanced' : 'done'
  }

  /**
   * The new events or those that were followed are wrong. Once may be a slip of the endpoint; again, and what it told before is
   * read anew, for a lie that was believed would keep the view wrong for ever: ever more of it, ever more rarely, for the lie
   * may be what it tells now.
   */
  private async contradicted(from: L1BlockNumber): Promise<void> {
    const at = Math.max(from, this.contradiction?.at ?? 0)
    const times = (this.contradiction?.times ?? 0) + 1
    this.contradiction = { at, times }
    const isPowerOfTwo = (times & (times - 1)) === 0
    if (times === 1 || !isPowerOfTwo) return
    const to = Math.max(this.config.startBlock - 1, at - 1 - rereadBlocks * (times / 2) ** 4)
    this.ports.logger.warn('L1 contradicts what was followed: it is read again', { from: to + 1 })
    await this.view.rewind(to >= this.config.startBlock ? to : null)
    this.changed()
  }

  /** Blocks of the range, or null when they are not one chain: L1 changed while they were fetched. */
  private async fetchBlocks(from: L1BlockNumber, to: L1BlockNumber): Promise<L1Block[] | null> {
    const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i)
    const blocks = await Promise.all(numbers.map(number => this.reader.block(number)))
    const chain: L1Block[] = []
    for (const block of blocks) {
      if (!block || (chain.length > 0 && block.parentHash !== chain.at(-1)!.hash)) return null
      chain.push(block)
    }
    return chain
  }

  /**
   * Goes back to a block that L1 still has, below `other`, which contradicts our newest. @throws L1Error L1_BAD_ANSWER when L1
   * still has that: `other` is of a fork that lost.
   */
  private async goBack(ours: L1Block, other: L1Block): Promise<void> {
    const { startBlock } = this.config
    if ((await this.reader.block(ours.number))?.hash === ours.hash)
      throw new L1Error('L1_BAD_ANSWER', 'L1 told a block that is not of its chain', { number: other.number })
    let number = Math.min(ours.number, other.number) - 1
    for (let step = 1, tried = 1; number >= startBlock; tried++) {
      const block = await this.reader.block(number)
      if (block && this.isOurs(block)) break
      if (tried > shallowReorg) step *= 2
      number -= step
    }
    this.ports.logger.warn('L1 was reorganised', { from: ours.number, to: number })
    this.metrics.reorgs.inc()
    await this.view.rewind(number >= startBlock ? number : null)
    this.changed()
  }

  private isOurs(block: L1Block): boolean {
    return this.view.block(block.number)?.hash === block.hash
  }

  /** Every block below one of the view that is final is final too, so that a view which goes back keeps what it has left. */
  private followFinal(): void {
    const { toldFinal } = this
    if (toldFinal && this.isOurs(toldFinal)) this.finalNumber = toldFinal.number
    else this.finalNumber = Math.min(this.finalNumber, this.view.head?.number ?? -1)
  }

  private changed(): void {
    this.followFinal()
    this.metrics.head.set(this.view.head?.number ?? 0)
    this.metrics.committed.set(this.view.lastCommitted)
    this.metrics.finalized.set(this.view.lastFinalized)
    for (const handler of [...this.handlers]) handler()
  }
}

/** The reader until the signal aborts: then nobody waits for its answers, and a request that hangs holds up no stop. */
function unlessAborted(reader: L1FollowerPorts['reader'], signal: AbortSignal): L1FollowerPorts['reader'] {
  // A window of blocks is asked for at once.
  setMaxListeners(0, signal)
  const answer = <Value>(ask: () => Promise<Value>) =>
    new Promise<Value>((resolve, reject) => {
      signal.throwIfAborted()
      const abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      ask()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', abort))
    })
  return {
    head: () => answer(() => reader.head()),
    finalized: () => answer(() => reader.finalized()),
    block: number => answer(() => reader.block(number)),
    events: range => answer(() => reader.events(range)),
  }
}
