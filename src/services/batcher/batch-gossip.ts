import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import type { BatchIndex } from '../../base/primitives/quantities.js'
import type { BatchAttestation, BatchCertificate } from '../../base/protocol/batch-attestation.js'
import { PeerBuckets } from '../../io/network/peer-buckets.js'
import type { Peer, PeerNetwork } from '../../io/network/peer-network.js'
import { TokenBucket } from '../../io/network/token-bucket.js'
import type { AttestationOutcome } from './attestation-pool.js'
import {
  type BatchMessage,
  decodeBatchMessage,
  encodeBatchMessage,
  encodeCertificates,
  maxCertificates,
} from './batch-message.js'

/** What became of a certificate: taken, already had, kept until its batch is sealed here, for another hash, or invalid. */
export type CertificateOutcome = 'stored' | 'known' | 'kept' | 'divergent' | 'refused'

/** What the gossip asks of the batcher. */
export interface GossipDesk {
  attestation(key: BlsPublicKeyBytes, attestation: BatchAttestation): AttestationOutcome | Promise<AttestationOutcome>
  certificate(certificate: BatchCertificate, from: Peer): Promise<CertificateOutcome>
  /** Those that are stored of the batches from this one on, so many; encoded. */
  certificatesFrom(index: BatchIndex, limit: number): Uint8Array[]
  /** Oldest batch without a certificate, if others may have one by now. */
  wanted(): BatchIndex | null
  /** This node's attestations that may still be needed. */
  ownAttestations(): BatchAttestation[]
  /** Whether the peer speaks for a key of the set. */
  isSequencer(peer: Peer): boolean
  nowMs(): number
}

/** How often a peer may ask for certificates, and all together that are not of the set: above it nobody answers. */
const answered = { perSec: 1, burst: 8, othersPerSec: 64 } as const
/** How often this node asks a peer: less, since clocks and networks are uneven. */
const asked = { perSec: 0.7, burst: 4 } as const

/**
 * Carries certificates to everybody, and to those who ask for what they missed; and attestations that no precommit can
 * carry any more, because their signer has left the set. A peer that sends what cannot be right is dropped.
 */
export class BatchGossip {
  private turn = 0
  private readonly answers = new PeerBuckets(answered)
  private readonly questions = new PeerBuckets(asked)
  private readonly answersToOthers: TokenBucket
  private readonly stops: readonly (() => void)[]

  constructor(
    private readonly network: Pick<PeerNetwork, 'peers' | 'send' | 'onMessage' | 'onConnect' | 'drop'>,
    private readonly desk: GossipDesk,
  ) {
    this.answersToOthers = new TokenBucket(answered.othersPerSec, desk.nowMs())
    this.stops = [
      network.onMessage('batches', (from, bytes) => this.receive(from, bytes)),
      network.onConnect(peer => this.greet(peer)),
    ]
  }

  /** Hears no more; what is under way goes on. */
  close(): void {
    for (const stop of this.stops) stop()
  }

  /** Sends to every peer. */
  broadcast(message: BatchMessage): void {
    const bytes = encodeBatchMessage(message)
    for (const peer of this.network.peers()) this.network.send(peer.id, 'batches', bytes)
  }

  /** Asks one peer, another each time, for the oldest certificate that is missing; every second time one of the set. */
  ask(): void {
    const peers = this.network.peers()
    const sequencers = peers.filter(peer => this.desk.isSequencer(peer))
    const turn = this.turn++
    const [asked, at] =
      sequencers.length === 0 ? [peers, turn] : [turn % 2 === 0 ? sequencers : peers, Math.floor(turn / 2)]
    const peer = asked[at % Math.max(asked.length, 1)]
    if (peer) this.askPeer(peer)
  }

  /** The peer sent a certificate that does not hold. */
  punish(peer: Peer, { batchIndex }: BatchCertificate): void {
    this.network.drop(peer.id, { reason: 'forged-batch-certificate', detail: `batch ${batchIndex}` })
  }

  private askPeer(peer: Peer): void {
    const from = this.desk.wanted()
    const nowMs = this.desk.nowMs()
    if (from !== null && this.questions.of(peer.id, nowMs).tryTake(nowMs)) this.send(peer, { type: 'want', from })
  }

  private greet(peer: Peer): void {
    this.askPeer(peer)
    for (const attestation of this.desk.ownAttestations()) this.send(peer, { type: 'attestation', attestation })
  }

  private send(peer: Peer, message: BatchMessage): void {
    this.network.send(peer.id, 'batches', encodeBatchMessage(message))
  }

  private receive(from: Peer, bytes: Uint8Array): void {
    let message: BatchMessage
    try {
      message = decodeBatchMessage(bytes)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.network.drop(from.id, { reason: 'malformed-batch-message', severity: 'heavy', detail: error.message })
      return
    }
    if (message.type === 'attestation') {
      void this.takeOf(from, message.attestation)
    } else if (message.type === 'want') {
      this.answer(from, message.from)
    } else {
      void this.take(from, message.certificates)
    }
  }

  private answer(peer: Peer, from: BatchIndex): void {
    const nowMs = this.desk.nowMs()
    if (!this.answers.of(peer.id, nowMs).tryTake(nowMs)) {
      this.network.drop(peer.id, { reason: 'too-many-certificate-requests', severity: 'light' })
      return
    }
    // No fault of this peer: it asks somebody else, or again.
    if (!this.desk.isSequencer(peer) && !this.answersToOthers.tryTake(nowMs)) return
    const certificates = this.desk.certificatesFrom(from, maxCertificates)
    if (certificates.length > 0) this.network.send(peer.id, 'batches', encodeCertificates(certificates))
  }

  /** Who vouched for a key speaks for it alone: a forged attestation of it is the peer's own work. */
  private async takeOf(from: Peer, attestation: BatchAttestation): Promise<void> {
    if (!from.consensusKey || (await this.desk.attestation(from.consensusKey, attestation)) !== 'forged') return
    this.network.drop(from.id, { reason: 'forged-attestation', detail: `batch ${attestation.batchIndex}` })
  }

  private async take(from: Peer, certificates: readonly BatchCertificate[]): Promise<void> {
    let stored = 0
    for (const certificate of certificates) {
      const outcome = await this.desk.certificate(certificate, from)
      if (outcome === 'stored') stored++
      if (outcome !== 'refused') continue
      this.punish(from, certificate)
      return
    }
    // A full answer that was of use: there may be more.
    if (certificates.length === maxCertificates && stored > 0) this.askPeer(from)
  }
}
