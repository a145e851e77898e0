import { type BlsPublicKeyBytes, blsKeyId } from '../../base/crypto/bls.js'
import { bytesToHex, type Hex } from '../../base/primitives/bytes.js'
import type { BatchIndex, Height } from '../../base/primitives/quantities.js'
import {
  attestationDigest,
  type BatchAttestation,
  type BatchCertificate,
  encodeBatchCertificate,
} from '../../base/protocol/batch-attestation.js'
import { quorumClaim } from '../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { Peer } from '../../io/network/peer-network.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Counter, Gauge, Metrics } from '../../io/telemetry/metrics.js'
import {
  type AttestationConflict,
  type AttestationOutcome,
  AttestationPool,
  type BroughtAttestation,
  type OpenBatch,
} from './attestation-pool.js'
import type { CertificateOutcome } from './batch-gossip.js'
import type { BatchStore, SealedBatch } from './batch-store.js'

/** How far ahead of this node's own batches certificates are kept, and of how many peers outside the set for one batch. */
const maxAhead = 64
const maxKeptOfOthers = 64

/** A certificate that came before its batch was sealed here; null stands for this node itself. */
interface EarlyCertificate {
  readonly certificate: BatchCertificate
  readonly sender: Peer | null
}

/** Brings open batches to their certificates, from attestations or from peers, and stores each once. */
export class CertificateDesk {
  private readonly pool: AttestationPool
  /** By sender, which has one each. */
  private readonly early = new Map<BatchIndex, Map<string, EarlyCertificate>>()
  private readonly listeners: ((certificate: BatchCertificate) => void)[] = []
  private readonly certified: Gauge
  private readonly divergences: Counter
  private queue: Promise<unknown> = Promise.resolve()
  private isClosed = false

  constructor(
    private readonly domain: SigningDomain,
    private readonly ports: {
      readonly store: BatchStore
      readonly verifier: Pick<SignatureVerifier, 'verify' | 'verifyAggregates'>
      readonly logger: Logger
      readonly metrics: Metrics
      readonly onConflict: (conflict: AttestationConflict) => void
      /** Whether the key may be of the set of a batch that this node has not sealed. */
      readonly isMember: (key: BlsPublicKeyBytes) => boolean
      /** The peer sent a certificate that does not hold. */
      readonly onForged: (sender: Peer, certificate: BatchCertificate) => void
    },
  ) {
    this.pool = new AttestationPool(domain, ports.store.certifiedUpTo(), ports)
    this.certified = ports.metrics.gauge('morphism_batcher_certified_index', 'All batches up to it have a certificate')
    this.divergences = ports.metrics.counter('morphism_batcher_divergences_total', 'Valid signatures for other hashes')
  }

  /** The newest batch that was opened. */
  get last(): BatchIndex {
    return this.pool.last
  }

  /** Batches without a certificate, oldest first. */
  openBatches(): IterableIterator<OpenBatch> {
    return this.pool.batches()
  }

  /** Called with each new certificate, after it is stored; the returned function ends it. */
  onCertified(listener: (certificate: BatchCertificate) => void): () => void {
    this.listeners.push(listener)
    return () => {
      this.listeners.splice(this.listeners.indexOf(listener), 1)
    }
  }

  /** Opens the batch after `last`; one that has its certificate is passed over. */
  openBatch(sealed: SealedBatch, set: SequencerSet): void {
    const { batchIndex } = sealed.header
    const early = [...(this.early.get(batchIndex)?.values() ?? [])]
    for (const index of this.early.keys()) if (index <= batchIndex) this.early.delete(index)
    if (this.ports.store.certificate(batchIndex)) {
      this.pool.pass(batchIndex)
      return
    }
    for (const brought of this.pool.begin(sealed, set)) void this.attestation(brought)
    void this.takeEarly(early)
  }

  /** A block was decided. */
  onDecided(height: Height): void {
    this.pool.height = height
  }

  attestation(brought: BroughtAttestation): Promise<AttestationOutcome> {
    return this.taken(brought.attestation, () => this.pool.add(brought))
  }

  ownAttestation(key: BlsPublicKeyBytes, attestation: BatchAttestation): void {
    void this.taken(attestation, () => this.pool.addOwn(key, attestation))
  }

  /** Takes a certificate from anywhere; verified before it counts. */
  async certificate(certificate: BatchCertificate, sender: Peer | null): Promise<CertificateOutcome> {
    if (certificate.batchIndex > this.pool.last) return this.keep({ certificate, sender })
    if (!this.pool.get(certificate.batchIndex)) return 'known'
    return (await this.serialized(() => this.judge(certificate))) ?? 'known'
  }

  /** Makes certificates of all open batches that have a quorum. */
  certifyOpen(): void {
    for (const { sealed } of this.pool.batches()) this.certify(sealed.header.batchIndex)
  }

  /** Takes nothing more; resolves when what was asked so far is done. */
  async close(): Promise<void> {
    this.isClosed = true
    await this.pool.settled()
    await this.queue
  }

  private async taken(
    attestation: BatchAttestation,
    add: () => Promise<AttestationOutcome>,
  ): Promise<AttestationOutcome> {
    if (this.isClosed) return 'ignored'
    try {
      const outcome = await add()
      if (outcome === 'ready') this.certify(attestation.batchIndex)
      if (outcome === 'divergent')
        this.reportDivergence('a sequencer signed another batch than this node sealed', attestation)
      return outcome
    } catch (error) {
      if (!this.isClosed) this.ports.logger.error('verifying a batch attestation failed', { error: String(error) })
      return 'ignored'
    }
  }

  private certify(index: BatchIndex): void {
    void this.serialized(async () => {
      const certificate = await this.pool.certify(index)
      if (certificate) await this.store(certificate)
    })
  }

  /** In the queue: of equal certificates that many peers send at once, only the first is verified. */
  private async judge(certificate: BatchCertificate): Promise<CertificateOutcome> {
    const { batchIndex, batchHash, absent, signature } = certificate
    const open = this.pool.get(batchIndex)
    if (!open) return 'known'
    const digest = attestationDigest(this.domain, { batchIndex, batchHash })
    const claim = quorumClaim({ set: open.set, absent, digest, signature })
    if (!claim.ok || !(await this.ports.verifier.verifyAggregates([claim.value]))) {
      const reason = claim.ok ? 'bad-signature' : claim.error
      this.ports.logger.warn('batch certificate refused', { batchIndex, reason })
      return 'refused'
    }
    if (batchHash !== open.sealed.batchHash) {
      this.reportDivergence('a quorum signed another batch than this node sealed', certificate)
      return 'divergent'
    }
    return (await this.store(certificate)) ? 'stored' : 'known'
  }

  private async store(certificate: BatchCertificate): Promise<boolean> {
    const { batchIndex } = certificate
    if (!this.pool.get(batchIndex)) return false
    let upTo = this.pool.last
    for (const { sealed } of this.pool.batches()) {
      if (sealed.header.batchIndex === batchIndex) continue
      upTo = sealed.header.batchIndex - 1
      break
    }
    await this.ports.store.putCertificate(certificate, upTo)
    this.pool.end(batchIndex)
    this.certified.set(upTo)
    for (const listener of this.listeners) listener(certificate)
    return true
  }

  private keep(early: EarlyCertificate): CertificateOutcome {
    const { certificate, sender } = early
    const { batchIndex } = certificate
    if (batchIndex > this.pool.last + maxAhead) return 'known'
    const kept = this.early.get(batchIndex) ?? new Map<string, EarlyCertificate>()
    const isOther = !this.isTrusted(early)
    const id = isOther ? sender!.id : sender?.consensusKey ? blsKeyId(sender.consensusKey) : ''
    if (kept.has(id)) return 'known'
    const others = isOther ? [...kept.values()].filter(one => !this.isTrusted(one)).length : 0
    if (others >= maxKeptOfOthers) return 'known'
    this.early.set(batchIndex, kept.set(id, early))
    return 'kept'
  }

  /** Of this node itself or of a key of a set: strangers leave them their place, and their turn. */
  private isTrusted({ sender }: EarlyCertificate): boolean {
    return sender === null || (sender.consensusKey !== null && this.ports.isMember(sender.consensusKey))
  }

  /** Equal ones are judged as one, and each of their senders answers for it. */
  private async takeEarly(early: readonly EarlyCertificate[]): Promise<void> {
    const trusted = early.filter(one => this.isTrusted(one))
    const groups = new Map<Hex, EarlyCertificate[]>()
    for (const one of [...trusted, ...early.filter(other => !trusted.includes(other))]) {
      const id = bytesToHex(encodeBatchCertificate(one.certificate))
      groups.set(id, [...(groups.get(id) ?? []), one])
    }
    for (const group of groups.values()) {
      const { certificate } = group[0]!
      if ((await this.certificate(certificate, null)) !== 'refused') continue
      for (const { sender } of group) if (sender) this.ports.onForged(sender, certificate)
    }
  }

  private reportDivergence(message: string, other: BatchAttestation | BatchCertificate): void {
    this.divergences.inc()
    const own = this.ports.store.sealed(other.batchIndex)?.batchHash
    this.ports.logger.error(message, { batchIndex: other.batchIndex, own, theirs: other.batchHash })
  }

  /** One after the other; a failure is logged and undone by the next try. */
  private serialized<Value>(task: () => Promise<Value>): Promise<Value | undefined> {
    if (this.isClosed) return Promise.resolve(undefined)
    const run = this.queue.then(task).catch(error => {
      this.ports.logger.error('storing a batch certificate failed', { error: String(error) })
      return undefined
    })
    this.queue = run
    return run
  }
}
