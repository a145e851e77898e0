import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import type { BatchHash } from '../../base/primitives/hashes.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { BatchIndex, L1BlockNumber, SetId } from '../../base/primitives/quantities.js'
import type { BatchHeader } from '../../base/protocol/batch-header.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { BlobSidecar, CommitBatchArguments, ContractRefusal, L1Block, L1Submitter } from '../../io/l1/l1-client.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { RetryGate } from './retry-gate.js'
import { placeInLine, stepsBefore, turnEndSec } from './submission-turn.js'

export interface SubmitterConfig {
  /** Of this node, which takes the turns of its own member alone: others can name its account as theirs. Null: it has none. */
  readonly consensusKey: BlsPublicKeyBytes | null
  readonly parameters: Pick<ProtocolParameters, 'submitterTurnSec' | 'challengeWindowSec'>
  /** Seconds of L1 time that each further step of the line waits when a turn was missed; about two L1 blocks. */
  readonly staggerSec: number
  /** Longest time between two looks, in milliseconds; 1,000 unless told. */
  readonly pollMs?: number
  /** First and longest pause after a failure; 1,000 and 60,000 unless told. */
  readonly retryMs?: number
  readonly longestRetryMs?: number
}

export interface SubmitterPorts {
  readonly batches: {
    batch(index: BatchIndex): Promise<SubmittableBatch | null>
    sidecars(index: BatchIndex): Promise<readonly BlobSidecar[]>
    /** Calls the handler after each new certificate; the returned function ends it. */
    onCertified(handler: () => void): () => void
  }
  /** Sends from the account that the node's member named. */
  readonly l1: L1Submitter
  readonly follower: {
    head(): L1Block | null
    canonical(number: L1BlockNumber): L1Block | null
    committedBatch(index: BatchIndex): { batchHash: BatchHash; l1BlockNumber: L1BlockNumber; setId: SetId } | null
    lastCommitted(): BatchIndex
    lastFinalized(): BatchIndex
    onChange(handler: () => void): () => void
    refresh(): Promise<void>
  }
  readonly sets: { set(setId: SetId): SequencerSet | undefined }
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What the submitter needs of a batch. */
export interface SubmittableBatch {
  readonly header: BatchHeader
  readonly batchHash: BatchHash
  readonly certificate: { readonly absent: bigint; readonly signature: Uint8Array } | null
}

/** Something that waiting does not cure: a person has to look. */
export interface SubmitterAlarm {
  readonly batchIndex: BatchIndex
  /** Name of the Solidity error, or `DifferentBatchOnL1`. */
  readonly errorName: string
  readonly detail: string
}

export interface SubmitterStatus {
  readonly sending: boolean
  readonly alarm: SubmitterAlarm | null
  /** Why the last attempt failed, or null. */
  readonly lastError: string | null
}

/** Posts certified batches to L1 in this node's turn, or after a missed turn, and makes them final. */
export interface Submitter extends AsyncDisposable {
  status(): SubmitterStatus
}

/** Starts at once. What was done before a restart is read from L1; nothing is kept here. */
export function createSubmitter({ config, ports }: { config: SubmitterConfig; ports: SubmitterPorts }): Submitter {
  const submitter = new BatchSubmitter(config, ports)
  submitter.wake()
  return submitter
}

/** Batches that one transaction makes final: some 1 M gas. */
const maxFinalizedAtOnce = 256
/** Refusals that time cures: L1 or our view of it is about to change. */
const passing = new Set([
  'AlreadyFinalized',
  'ChallengeWindowOpen',
  'ForcedInclusionMissed',
  'MessagesNotEnqueued',
  'NotCommitted',
  'NotYourTurn',
  'SetNotActive',
  'TooManyUnfinalizedBatches',
  'UnknownSet',
  'WrongBatchIndex',
])

class BatchSubmitter implements Submitter {
  private readonly stopping = new AbortController()
  private readonly stops: readonly (() => void)[]
  private readonly commitGate: RetryGate
  private readonly finalizeGate: RetryGate
  private readonly metrics
  private running: Promise<void> | null = null
  private again = false
  private cancelTimer = () => {}
  private sending = false
  private alarm: SubmitterAlarm | null = null
  private lastError: string | null = null
  /** Blobs of the batch that is being posted: a retry need not compute them again. */
  private prepared: { index: BatchIndex; batchHash: BatchHash; blobs: readonly BlobSidecar[] } | null = null

  constructor(
    private readonly config: SubmitterConfig,
    private readonly ports: SubmitterPorts,
  ) {
    const { retryMs = 1_000, longestRetryMs = 60_000 } = config
    this.commitGate = new RetryGate({ firstMs: retryMs, longestMs: longestRetryMs })
    this.finalizeGate = new RetryGate({ firstMs: retryMs, longestMs: longestRetryMs })
    const { metrics, batches, follower } = ports
    this.metrics = {
      commits: metrics.counter('morphism_submitter_commits_total', 'Batches that this node posted'),
      finalizations: metrics.counter('morphism_submitter_finalizations_total', 'Finalizations that this node sent'),
      failures: metrics.counter('morphism_submitter_failures_total', 'Attempts that failed or were refused'),
      alarm: metrics.gauge('morphism_submitter_alarm_bool', '1 while L1 refuses a batch for a reason that stays'),
    }
    const wake = () => this.wake()
    this.stops = [batches.onCertified(wake), follower.onChange(wake)]
  }

  status(): SubmitterStatus {
    return { sending: this.sending, alarm: this.alarm, lastError: this.lastError }
  }

  /** Looks for work now, or once more when it is looking already. */
  wake(): void {
    if (this.stopping.signal.aborted) return
    this.again = true
    this.running ??= this.work().finally(() => {
      this.running = null
      if (this.again) this.wake()
      else this.schedule()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort()
    this.cancelTimer()
    for (const stop of this.stops) stop()
    await this.running
  }

  private schedule(): void {
    this.cancelTimer()
    if (this.stopping.signal.aborted) return
    this.cancelTimer = this.ports.clock.schedule(this.config.pollMs ?? 1_000, () => this.wake())
  }

  private async work(): Promise<void> {
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false
      await this.attempt('commit', this.commitGate, this.ports.follower.lastCommitted() + 1, index =>
        this.commit(index),
      )
      await this.attempt('finalize', this.finalizeGate, this.ports.follower.lastFinalized() + 1, index =>
        this.finalize(index),
      )
    }
    if (this.stopping.signal.aborted) this.again = false
  }

  private async attempt(
    what: string,
    gate: RetryGate,
    index: BatchIndex,
    action: (index: BatchIndex) => Promise<boolean>,
  ): Promise<void> {
    const { clock, logger } = this.ports
    if (this.stopping.signal.aborted || !gate.isOpen(index, clock.nowMs())) return
    try {
      if (!(await action(index))) gate.close(index, clock.nowMs())
    } catch (error) {
      gate.close(index, clock.nowMs())
      this.metrics.failures.inc()
      this.lastError = error instanceof Error ? error.message : String(error)
      const data = error instanceof MorphismError ? { code: error.code, ...error.data } : {}
      logger.warn('submitting failed: will be tried again', {
        what,
        batchIndex: index,
        reason: this.lastError,
        ...data,
      })
    } finally {
      this.sending = false
    }
  }

  /** Posts a batch when it is certified and its time has come; false when it has to be tried again after a pause. */
  private async commit(index: BatchIndex): Promise<boolean> {
    const { batches, sets, l1, follower, logger } = this.ports
    await this.compareWithL1(index - 1)
    const batch = await batches.batch(index)
    if (!batch?.certificate) return true
    const set = sets.set(batch.header.setId)
    if (!set || !this.isTimeToCommit(batch.header, set)) return true
    const { absent, signature } = batch.certificate
    const args: CommitBatchArguments = { header: batch.header, absent, signature, blobs: await this.blobsOf(batch) }
    const refusal = await l1.wouldCommit(args)
    if (refusal) return this.refused(index, refusal)
    this.sending = true
    logger.info('batch is posted to L1', { batchIndex: index, batchHash: batch.batchHash, blobs: args.blobs.length })
    const outcome = await l1.commitBatch(args, this.stopping.signal)
    if (outcome.status === 'success') {
      this.metrics.commits.inc()
      this.accepted()
      logger.info('batch is on L1', { batchIndex: index, ...outcome })
    } else if (outcome.status === 'reverted')
      logger.warn('L1 took a transaction of this node and reverted it', { what: 'commitBatch', ...outcome })
    await follower.refresh()
    return outcome.status === 'success' && follower.lastCommitted() >= index
  }

  private isTimeToCommit(header: BatchHeader, set: SequencerSet): boolean {
    const { follower } = this.ports
    const { submitterTurnSec } = this.config.parameters
    const { batchIndex } = header
    const place = this.placeOf(batchIndex, set)
    if (place === 0) return true
    const parentCommittedSec = this.committedSec(batchIndex - 1)
    const head = follower.head()
    if (parentCommittedSec === null || !head) return false
    const endSec = turnEndSec({ timestamp: header.timestamp, parentCommittedSec, submitterTurnSec })
    return head.timestamp >= endSec + (stepsBefore(place) - 1) * this.config.staggerSec
  }

  /** Makes every batch final whose challenge window is over; false when it has to be tried again after a pause. */
  private async finalize(oldest: BatchIndex): Promise<boolean> {
    const { follower, l1, logger } = this.ports
    const newest = this.newestFinal(oldest)
    if (newest === null || !this.isTimeToFinalize(oldest)) return true
    const batches = { first: oldest, last: newest }
    const refusal = await l1.wouldFinalize(batches)
    if (refusal) return this.refused(newest, refusal)
    this.sending = true
    const outcome = await l1.finalizeBatch(batches, this.stopping.signal)
    if (outcome.status === 'success') {
      this.metrics.finalizations.inc()
      logger.info('batches are final on L1', batches)
    } else if (outcome.status === 'reverted')
      logger.warn('L1 took a transaction of this node and reverted it', { what: 'finalizeBatch', ...outcome })
    await follower.refresh()
    return outcome.status === 'success' && follower.lastFinalized() >= newest
  }

  /** The newest batch that may become final now, of as many as one transaction takes, or null. Commit times never fall. */
  private newestFinal(oldest: BatchIndex): BatchIndex | null {
    const { follower } = this.ports
    let newest: BatchIndex | null = null
    const last = Math.min(follower.lastCommitted(), oldest + maxFinalizedAtOnce - 1)
    for (let index = oldest; index <= last && this.secondsFinal(index) >= 0; index++) newest = index
    return newest
  }

  private isTimeToFinalize(oldest: BatchIndex): boolean {
    const { follower, sets } = this.ports
    const committed = follower.committedBatch(oldest)
    const set = committed && sets.set(committed.setId)
    if (!set) return false
    return this.secondsFinal(oldest) >= stepsBefore(this.placeOf(oldest, set)) * this.config.staggerSec
  }

  /** The place of this node in line; the last where it is no member, or has another account than its member named. */
  private placeOf(batchIndex: BatchIndex, set: SequencerSet): number {
    const { consensusKey } = this.config
    const member = consensusKey && memberByKey(set, consensusKey)
    if (member?.submitter !== this.ports.l1.address) return set.members.length
    return placeInLine({ set, batchIndex, member: member.index })
  }

  /** Seconds of L1 time since the challenge window of a batch ended; negative before. */
  private secondsFinal(index: BatchIndex): number {
    const head = this.ports.follower.head()
    const committedSec = this.committedSec(index)
    if (!head || committedSec === null) return Number.NEGATIVE_INFINITY
    return head.timestamp - committedSec - this.config.parameters.challengeWindowSec
  }

  private committedSec(index: BatchIndex): number | null {
    const { follower } = this.ports
    const committed = follower.committedBatch(index)
    return (committed && follower.canonical(committed.l1BlockNumber)?.timestamp) ?? null
  }

  private async blobsOf({ header, batchHash }: SubmittableBatch): Promise<readonly BlobSidecar[]> {
    const index = header.batchIndex
    if (this.prepared?.index !== index || this.prepared.batchHash !== batchHash)
      this.prepared = { index, batchHash, blobs: await this.ports.batches.sidecars(index) }
    return this.prepared.blobs
  }

  /** L1 may have accepted another batch than ours: then nothing that we post after it can be right. */
  private async compareWithL1(index: BatchIndex): Promise<void> {
    const onL1 = this.ports.follower.committedBatch(index)
    const ours = await this.ports.batches.batch(index)
    if (!onL1 || !ours) return
    if (onL1.batchHash !== ours.batchHash)
      this.raise({
        batchIndex: index,
        errorName: 'DifferentBatchOnL1',
        detail: `L1 has ${onL1.batchHash}, this node ${ours.batchHash}`,
      })
    else if (this.alarm && this.alarm.batchIndex <= index) this.accepted()
  }

  /** Always false: a refused batch is tried again only after a pause. */
  private refused(batchIndex: BatchIndex, { errorName, detail }: ContractRefusal): false {
    this.metrics.failures.inc()
    this.lastError = detail
    if (passing.has(errorName)) {
      // Hours may pass before that one is over: operators should know why no batch comes.
      const level = errorName === 'ForcedInclusionMissed' ? 'warn' : 'debug'
      this.ports.logger[level]('L1 would refuse for now', { batchIndex, errorName, detail })
      void this.ports.follower.refresh()
    } else this.raise({ batchIndex, errorName, detail })
    return false
  }

  private raise(alarm: SubmitterAlarm): void {
    if (this.alarm?.errorName !== alarm.errorName || this.alarm.batchIndex !== alarm.batchIndex)
      this.ports.logger.error('L1 refuses a batch of this node: a person has to look', { ...alarm })
    this.alarm = alarm
    this.metrics.alarm.set(1)
  }

  private accepted(): void {
    this.lastError = null
    this.alarm = null
    this.metrics.alarm.set(0)
  }
}
