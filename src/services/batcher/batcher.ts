import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesEqual } from '../../base/primitives/bytes.js'
import type { BatchHash, Hash32 } from '../../base/primitives/hashes.js'
import type { BatchIndex, Height, MemberIndex } from '../../base/primitives/quantities.js'
import {
  type BatchAttestation,
  type BatchCertificate,
  decodeAttestation,
} from '../../base/protocol/batch-attestation.js'
import { type BatchHeader, batchHash } from '../../base/protocol/batch-header.js'
import type { Block } from '../../base/protocol/block.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { Compression } from '../../io/compression/compression.js'
import type { ExecutionClient } from '../../io/execution/execution-client.js'
import type { ConsensusSigner } from '../../io/keys/consensus-signer.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import { SignerRefusal } from '../../io/keys/signer-refusal.js'
import type { Kzg } from '../../io/kzg/kzg.js'
import type { BlobSidecar } from '../../io/l1/l1-client.js'
import type { PeerNetwork } from '../../io/network/peer-network.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Counter, Gauge, Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { batchParametersProblem } from '../../rules/batch/seal-policy.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import type { AttestationConflict } from './attestation-pool.js'
import { BatchGossip, type CertificateOutcome } from './batch-gossip.js'
import { BatchSealer } from './batch-sealer.js'
import { BatchStore, type SealedBatch } from './batch-store.js'
import { BatcherError } from './batcher-error.js'
import { CertificateDesk } from './certificate-desk.js'
import { GrowingBatch } from './growing-batch.js'

export interface BatcherConfig {
  readonly protocol: Pick<ProtocolSchedule, 'at' | 'genesis'>
  readonly domain: SigningDomain
  /** Header of batch 0. */
  readonly genesis: BatchHeader
}

export interface BatcherPorts {
  readonly store: KeyValueStore
  readonly execution: Pick<ExecutionClient, 'blockAt' | 'storageAt' | 'head'>
  /** Rolling hash of the first so many L1 messages by this node's view of L1, or null while it has not seen them all. */
  readonly l1View: { rollingHashAt(messagesConsumed: number): Hash32 | null }
  /** The set that signs a height; asked for heights up to the one after the last decided. */
  readonly sets: { setAt(height: Height): SequencerSet }
  readonly verifier: Pick<SignatureVerifier, 'verify' | 'verifyAggregates'>
  /** Null in a node that signs nothing. */
  readonly signer: Pick<ConsensusSigner, 'publicKey' | 'signAttestation'> | null
  readonly network: Pick<PeerNetwork, 'peers' | 'send' | 'onMessage' | 'onConnect' | 'drop'> | null
  /** A member attested two hashes for one batch: evidence to judge and keep. */
  readonly onConflict: (conflict: AttestationConflict) => void
  readonly compression: Compression
  readonly kzg: Kzg
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** A sealed batch with everything that a submitter needs. */
export interface Batch {
  readonly header: BatchHeader
  readonly batchHash: BatchHash
  readonly certificate: BatchCertificate | null
  /** Computed from the blocks when asked, cell proofs included: takes a second or more. @throws BatcherError KzgError */
  blobs(): Promise<BlobSidecar[]>
}

/** How long to wait for L1 or for a block that should be there, and after failures (doubled each time up to the longest). */
const waitMs = 500
const longestWaitMs = 30_000
/** How long after a signature that failed (a full disk, a signer that does not answer) it is asked for again. */
const signAgainAfterMs = 500
/** How often what an open batch lacks is done again: asked for, sent, stored. */
const againMs = 4_000
/** Most own attestations that are sent again at once. */
const maxSentAgain = 16
/** Newest decided blocks kept at hand, so that the head need not be read again. */
const maxRecent = 32

/**
 * Seals batches of decided blocks, attests them, collects the attestations and keeps the certificates. Everything is
 * computed from the chain: after a crash it goes on from the last stored batch. Never delays who calls it.
 * @throws BatcherError BATCH_PARAMETERS
 */
export async function createBatcher(args: { config: BatcherConfig; ports: BatcherPorts }): Promise<Batcher> {
  const problem = batchParametersProblem(args.config.protocol.genesis)
  if (problem) throw new BatcherError('BATCH_PARAMETERS', problem)
  const store = new BatchStore(args.ports.store)
  const last = await store.lastSealed()
  const { header } = await args.ports.execution.head()
  return new Batcher(args.config, args.ports, { store, last, head: header.number })
}

export class Batcher {
  private readonly store: BatchStore
  private readonly sealer: BatchSealer
  private readonly desk: CertificateDesk
  private readonly gossip: BatchGossip | null
  private readonly recent = new Map<Height, Block>()
  private readonly sealedIndex: Gauge
  private readonly ignoredExtensions: Counter
  private decided: Height
  private failures = 0
  /** When attestations that failed are tried again. */
  private signAgainMs: number | null = null
  private isRunning = false
  private isBackingOff = false
  private isClosed = false
  private run: Promise<void> = Promise.resolve()
  private cancelRetry: () => void = () => {}
  /** Stops what is done again while a batch is open; null while none is. */
  private cancelAgain: (() => void) | null = null
  /** Newest batch that was sealed long enough ago for others to have its certificate. */
  private overdue: BatchIndex

  /** Use `createBatcher`. */
  constructor(
    private readonly config: BatcherConfig,
    private readonly ports: BatcherPorts,
    start: { store: BatchStore; last: SealedBatch | null; head: Height },
  ) {
    const { metrics, logger, sets, verifier, onConflict } = ports
    this.store = start.store
    this.decided = start.head
    this.sealedIndex = metrics.gauge('morphism_batcher_sealed_index', 'Newest sealed batch')
    this.ignoredExtensions = metrics.counter('morphism_batcher_malformed_extensions_total', 'Unreadable extensions')
    this.desk = new CertificateDesk(config.domain, {
      store: this.store,
      verifier,
      logger,
      metrics,
      onConflict,
      isMember: key =>
        [this.decided + 1, Math.min(this.sealer.next, this.decided + 1)].some(height => this.isMember(key, height)),
      onForged: (sender, certificate) => this.gossip?.punish(sender, certificate),
    })
    this.desk.onDecided(this.decided)
    const { header: parent, batchHash: parentHash } = start.last ?? this.genesis()
    const { batchIndex, lastBlock } = parent
    this.overdue = batchIndex
    this.sealer = new BatchSealer(
      config.protocol,
      { ...ports, sets, store: this.store, blockAt: height => this.blockAt(height) },
      { batchIndex, batchHash: parentHash, lastBlock },
    )
    this.gossip = ports.network ? this.createGossip(ports.network) : null
    this.desk.onCertified(certificate => {
      logger.info('batch certified', { batchIndex: certificate.batchIndex, batchHash: certificate.batchHash })
      this.gossip?.broadcast({ type: 'certificates', certificates: [certificate] })
    })
    this.wake()
  }

  /** A block became this node's head; called in order of height. */
  onDecided(block: Block): void {
    const height = block.header.number
    this.decided = Math.max(this.decided, height)
    this.desk.onDecided(this.decided)
    this.recent.set(height, block)
    this.recent.delete(height - maxRecent)
    this.wake()
  }

  /** What the next precommit carries: this node's attestation of the oldest open batch, or nothing. */
  extension(): Uint8Array {
    for (const { own } of this.desk.openBatches()) if (own) return own
    return new Uint8Array(0)
  }

  /** Takes the extension of a verified precommit by a member of the set that signs its height. */
  onExtension({ set, member, bytes }: { set: SequencerSet; member: MemberIndex; bytes: Uint8Array }): void {
    const signer = set.members[member]
    if (!signer || bytes.length === 0) return
    try {
      const attestation = decodeAttestation(bytes)
      void this.desk.attestation({ key: signer.publicKey.bytes, attestation, bearer: 'vote' })
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.ignoredExtensions.inc()
      this.ports.logger.warn('vote extension is malformed', { member, setId: set.setId, reason: error.message })
    }
  }

  /** Takes a certificate that was seen elsewhere, such as in a commitBatch transaction; verified before it counts. */
  acceptCertificate(certificate: BatchCertificate): Promise<CertificateOutcome> {
    return this.desk.certificate(certificate, null)
  }

  /** Called with each certificate once it is stored. */
  onCertified(listener: (certificate: BatchCertificate) => void): () => void {
    return this.desk.onCertified(listener)
  }

  /** Newest batch up to which every batch has its certificate. */
  latestCertified(): BatchIndex {
    for (const { sealed } of this.desk.openBatches()) return sealed.header.batchIndex - 1
    return this.desk.last
  }

  /** Hash of the batch as this node sealed it; null while it has not. */
  batchHashOf(index: BatchIndex): BatchHash | null {
    return this.sealed(index)?.batchHash ?? null
  }

  async batch(index: BatchIndex): Promise<Batch | null> {
    const sealed = this.sealed(index)
    if (!sealed) return null
    return {
      header: sealed.header,
      batchHash: sealed.batchHash,
      certificate: this.store.certificate(index),
      blobs: () => this.blobs(sealed),
    }
  }

  /** Index of the newest sealed batch; 0 before the first. */
  latest(): BatchIndex {
    return this.sealer.lastSealed
  }

  /** Stops, and waits until nothing is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true
    this.gossip?.close()
    this.cancelRetry()
    this.cancelAgain?.()
    await this.run
    await this.desk.close()
  }

  private genesis(): SealedBatch {
    const { genesis } = this.config
    return { header: genesis, batchHash: batchHash(genesis), commitments: [] }
  }

  private sealed(index: BatchIndex): SealedBatch | null {
    return index === 0 ? this.genesis() : this.store.sealed(index)
  }

  private wake(): void {
    if (this.isRunning || this.isBackingOff || this.isClosed) return
    this.cancelRetry()
    this.isRunning = true
    this.run = this.work()
  }

  private async work(): Promise<void> {
    try {
      while (!this.isClosed) {
        await this.openSealed()
        const { decided } = this
        const outcome = await this.sealer.advance()
        this.failures = 0
        if (typeof outcome === 'object') {
          this.announceSealed(outcome)
          continue
        }
        if (outcome === 'no-block') {
          if (this.decided > decided) continue
          if (this.sealer.next > decided) return
        }
        return this.retryIn(waitMs)
      }
    } catch (error) {
      if (this.isClosed) return
      this.isBackingOff = true
      this.ports.logger.error('batching failed, will be tried again', { error: String(error), next: this.sealer.next })
      this.retryIn(Math.min(waitMs * 2 ** this.failures++, longestWaitMs))
    } finally {
      this.isRunning = false
    }
  }

  private retryIn(delayMs: number): void {
    if (this.isClosed) return
    this.cancelRetry = this.ports.clock.schedule(delayMs, () => {
      this.isBackingOff = false
      this.wake()
    })
  }

  private async blockAt(height: Height): Promise<Block | null> {
    if (height > this.decided) return null
    const block = this.recent.get(height) ?? (await this.ports.execution.blockAt(height))
    this.recent.delete(height - 1)
    return block
  }

  private announceSealed({ header, batchHash, commitments }: SealedBatch): void {
    const { batchIndex, firstBlock, lastBlock } = header
    this.sealedIndex.set(batchIndex)
    this.ports.logger.info('batch sealed', { batchIndex, batchHash, firstBlock, lastBlock, blobs: commitments.length })
  }

  /** Opens for attestation whatever is sealed and not open yet: after a seal and after a restart alike. */
  private async openSealed(): Promise<void> {
    if (this.desk.last === this.sealer.lastSealed) {
      if (this.signAgainMs !== null && this.ports.clock.nowMs() >= this.signAgainMs) await this.signOpen()
      return
    }
    while (this.desk.last < this.sealer.lastSealed) {
      const sealed = this.store.sealed(this.desk.last + 1)
      if (!sealed) throw new BatcherError('BATCH_MISMATCH', 'a sealed batch is missing', { index: this.desk.last + 1 })
      this.desk.openBatch(sealed, this.ports.sets.setAt(sealed.header.firstBlock))
    }
    await this.signOpen()
    this.desk.certifyOpen()
    if (this.wanted() !== null) this.gossip?.ask()
    if (!this.cancelAgain) this.scheduleAgain()
  }

  /** A certificate may be lost on its way or on its way to disk, and an attestation too. */
  private scheduleAgain(): void {
    const sealed = this.desk.last
    const [oldest] = this.desk.openBatches()
    if (!oldest || this.isClosed) {
      this.cancelAgain = null
      return
    }
    this.cancelAgain = this.ports.clock.schedule(againMs, () => {
      this.overdue = Math.max(this.overdue, sealed)
      this.desk.certifyOpen()
      this.sendOwnAgain()
      if (this.wanted() !== null) this.gossip?.ask()
      this.scheduleAgain()
    })
  }

  /** Votes carry the attestations of who is of the set; the others have nobody else to carry theirs. */
  private sendOwnAgain(): void {
    const { signer } = this.ports
    if (!signer || !this.gossip || this.isMember(signer.publicKey, this.decided + 1)) return
    for (const attestation of this.ownAttestations()) this.gossip.broadcast({ type: 'attestation', attestation })
  }

  /** This node's attestations that may still be needed, the oldest first, so many. */
  private ownAttestations(): BatchAttestation[] {
    const own = [...this.desk.openBatches()].flatMap(batch => (batch.own ? [batch.own] : []))
    return own.slice(0, maxSentAgain).map(decodeAttestation)
  }

  private async signOpen(): Promise<void> {
    const { signer, clock } = this.ports
    if (!signer) return
    const isFirstTry = this.signAgainMs === null
    this.signAgainMs = null
    for (const { own, set, sealed } of this.desk.openBatches()) {
      if (own || !memberByKey(set, signer.publicKey)) continue
      const { batchIndex } = sealed.header
      try {
        const attestation = this.store.attestation(batchIndex) ?? (await this.sign(signer, sealed))
        this.desk.ownAttestation(signer.publicKey, attestation)
        if (!this.isMember(signer.publicKey, this.decided + 1))
          this.gossip?.broadcast({ type: 'attestation', attestation })
      } catch (error) {
        const level = isExpected(error) || !isFirstTry ? 'debug' : 'error'
        this.ports.logger[level]('the batch attestation was not signed', { batchIndex, error: String(error) })
        if (error instanceof SignerRefusal) continue
        // The signer signs nothing below its last, so a later batch must not overtake one that can still be signed.
        this.signAgainMs = clock.nowMs() + signAgainAfterMs
        return
      }
    }
  }

  private async sign(
    signer: NonNullable<BatcherPorts['signer']>,
    { header, batchHash }: SealedBatch,
  ): Promise<BatchAttestation> {
    const content = { batchIndex: header.batchIndex, batchHash }
    const attestation = { ...content, signature: await signer.signAttestation(content) }
    await this.store.putAttestation(attestation)
    return attestation
  }

  /** Whether the key is of the set that signs the height. */
  private isMember(key: BlsPublicKeyBytes, height: Height): boolean {
    return memberByKey(this.ports.sets.setAt(height), key) !== undefined
  }

  /** The oldest open batch, if others have had time to certify it: older than the newest, or sealed a while ago. */
  private wanted(): BatchIndex | null {
    for (const { sealed } of this.desk.openBatches()) {
      const { batchIndex } = sealed.header
      return batchIndex < this.desk.last || batchIndex <= this.overdue ? batchIndex : null
    }
    return null
  }

  private createGossip(network: NonNullable<BatcherPorts['network']>): BatchGossip {
    return new BatchGossip(network, {
      attestation: (key, attestation) => this.desk.attestation({ key, attestation, bearer: 'signer' }),
      certificate: (certificate, from) => this.desk.certificate(certificate, from),
      certificatesFrom: (index, limit) => {
        const found: Uint8Array[] = []
        for (let at = index; at < index + limit && at <= this.sealer.lastSealed; at++) {
          const certificate = this.store.encodedCertificate(at)
          if (certificate) found.push(certificate)
        }
        return found
      },
      wanted: () => this.wanted(),
      ownAttestations: () => this.ownAttestations(),
      isSequencer: ({ consensusKey }) => consensusKey !== null && this.isMember(consensusKey, this.decided + 1),
      nowMs: () => this.ports.clock.nowMs(),
    })
  }

  private async blobs({ header, commitments }: SealedBatch): Promise<BlobSidecar[]> {
    if (header.batchIndex === 0) return []
    const mismatch = (height: Height) =>
      new BatcherError('BATCH_MISMATCH', 'a sealed batch does not come out the same again', { header, height })
    let growing: GrowingBatch | null = null
    for (let height = header.firstBlock; height <= header.lastBlock; height++) {
      const block = await this.ports.execution.blockAt(height)
      if (!block) throw mismatch(height)
      if (!growing) growing = new GrowingBatch(block, this.config.protocol.genesis, this.ports.compression)
      else if (!(await growing.tryAdd(block))) throw mismatch(height)
    }
    const sidecars: BlobSidecar[] = []
    for (const blob of await growing!.blobs()) {
      const named = await this.ports.kzg.commitment(blob)
      const expected = commitments[sidecars.length]
      if (!expected || !bytesEqual(expected, named.commitment)) throw mismatch(header.lastBlock)
      sidecars.push({ blob, ...named, cellProofs: await this.ports.kzg.cellProofs(blob) })
    }
    if (sidecars.length !== commitments.length) throw mismatch(header.lastBlock)
    return sidecars
  }
}

/** A signer that has stopped has said so itself; a key that moved here with its record has attested earlier batches elsewhere. */
function isExpected(error: unknown): boolean {
  return error instanceof SignerRefusal && (error.code === 'SIGNING_STOPPED' || error.code === 'BELOW_RECORD')
}
