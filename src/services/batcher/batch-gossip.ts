import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import type { BatchIndex } from '../../base/primitives/quantities.js'
import type { BatchAttestation, BatchCertificate } from '../../base/protocol/batch-attestation.js'
import type { Peer, PeerNetwork } from '../../io/network/peer-network.js'
import type { AttestationOutcome } from './attestation-pool.js'
import { type BatchMessage, decodeBatchMessage, encodeBatchMessage, maxCertificates } from './batch-message.js'

/** What became of a certificate: taken, already had, kept until its batch is sealed here, for another hash, or invalid. */
export type CertificateOutcome = 'stored' | 'known' | 'kept' | 'divergent' | 'refused'

/** What the gossip asks of the batcher. */
export interface GossipDesk {
  attestation(key: BlsPublicKeyBytes, attestation: BatchAttestation): AttestationOutcome
  certificate(certificate: BatchCertificate): Promise<CertificateOutcome>
  certificatesFrom(index: BatchIndex, limit: number): BatchCertificate[]
  /** Oldest batch without a certificate, if others may have one by now. */
  wanted(): BatchIndex | null
  /** This node's attestations that may still be needed. */
  ownAttestations(): BatchAttestation[]
}

/**
 * Carries certificates to everybody, and to those who ask for what they missed; and attestations that no precommit can
 * carry any more, because their signer has left the set. A peer that sends what cannot be right is dropped.
 */
export class BatchGossip {
  private turn = 0
  private readonly stops: readonly (() => void)[]

  constructor(
    private readonly network: Pick<PeerNetwork, 'peers' | 'send' | 'onMessage' | 'onConnect' | 'drop'>,
    private readonly desk: GossipDesk,
  ) {
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

  /** Asks one peer, another each time, for the oldest certificate that is missing. */
  ask(): void {
    const peers = this.network.peers()
    const peer = peers[this.turn++ % Math.max(peers.length, 1)]
    if (peer) this.askPeer(peer)
  }

  private askPeer(peer: Peer): void {
    const from = this.desk.wanted()
    if (from !== null) this.send(peer, { type: 'want', from })
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
      this.takeOf(from, message.attestation)
    } else if (message.type === 'want') {
      const certificates = this.desk.certificatesFrom(message.from, maxCertificates)
      if (certificates.length > 0) this.send(from, { type: 'certificates', certificates })
    } else {
      void this.take(from, message.certificates)
    }
  }

  /** Who vouched for a key speaks for it alone: a forged attestation of it is the peer's own work. */
  private takeOf(from: Peer, attestation: BatchAttestation): void {
    if (!from.consensusKey || this.desk.attestation(from.consensusKey, attestation) !== 'forged') return
    this.network.drop(from.id, { reason: 'forged-attestation', detail: `batch ${attestation.batchIndex}` })
  }

  private async take(from: Peer, certificates: readonly BatchCertificate[]): Promise<void> {
    let stored = 0
    for (const certificate of certificates) {
      const outcome = await this.desk.certificate(certificate)
      if (outcome === 'stored') stored++
      if (outcome !== 'refused') continue
      const detail = `batch ${certificate.batchIndex}`
      this.network.drop(from.id, { reason: 'forged-batch-certificate', detail })
      return
    }
    // A full answer that was of use: there may be more.
    if (certificates.length === maxCertificates && stored > 0) this.askPeer(from)
  }
}
