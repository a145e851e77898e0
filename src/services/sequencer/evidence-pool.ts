import { type BlsPublicKeyBytes, blsKeyId } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields } from '../../base/encoding/rlp-fields.js'
import { asciiToBytes, concatBytes, type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import type { Hash32 } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex } from '../../base/primitives/quantities.js'
import type { BatchAttestation } from '../../base/protocol/batch-attestation.js'
import {
  accusedOf,
  decodeEvidence,
  decodeEvidenceMessage,
  duplicateAttestation,
  duplicateProposal,
  duplicateVote,
  type Evidence,
  encodeEvidence,
  encodeEvidenceMessage,
  evidenceHash,
  maxEvidencePerMessage,
} from '../../base/protocol/evidence.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { Vote } from '../../base/protocol/vote.js'
import type { Misbehaviour, Peer, PeerId, PeerNetwork } from '../../io/network/peer-network.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Gauge, Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { type EvidenceRefusal, verifyEvidence } from '../../rules/consensus/evidence.js'

/** Most pieces against one key: more of them prove nothing new, and nobody fills the pool at the cost of others. */
export const maxPiecesPerKey = 16
/** Most pieces in all. */
export const maxPieces = 4_096
/** Most pieces of one peer that wait for their height; the oldest go. */
const maxWaiting = 2 * maxEvidencePerMessage
/** Pieces that are verified at once, at two pairings each, and that are looked at. */
const verifiedPerTurn = 4
const lookedAtPerTurn = 512
/** Most pieces to be judged; of more a peer tells again when it connects. */
const maxDue = 8_192

const prefix = asciiToBytes('evidence/')
const prefixEnd = asciiToBytes('evidence0')

/** A verified piece, and the key that it convicts. */
export interface KeptEvidence {
  readonly evidence: Evidence
  readonly hash: Hash32
  readonly publicKey: BlsPublicKeyBytes
}

export interface EvidencePoolPorts {
  readonly store: KeyValueStore
  readonly network: Pick<PeerNetwork, 'peers' | 'send' | 'onMessage' | 'onConnect' | 'onDisconnect' | 'drop'>
  /** The set that a piece is judged by; undefined when it is not known here, or not yet. */
  readonly setOf: (evidence: Evidence) => SequencerSet | undefined
  readonly clock: Pick<Clock, 'soon'>
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * Keeps what proves that a sequencer contradicted itself: verified, one piece per key and height (or batch), bounded,
 * durable under `evidence/` of the node's store, and told to every peer once and to whoever connects. A peer that sends a
 * false piece is dropped. Nothing is verified before its set is known: no peer could be blamed for what it costs.
 */
export class EvidencePool {
  private readonly pieces = new Map<string, KeptEvidence>()
  private readonly piecesOfKey = new Map<Hex, number>()
  private readonly count: Gauge
  /** What peers told and this node, being behind, has no set for yet. */
  private readonly waiting = new Map<PeerId, Evidence[]>()
  /** What came, or waited until now, and is judged a few pieces at a time; a turn is to come while there is any. */
  private due: { readonly from: PeerId; readonly evidence: Evidence }[] = []
  /** How many pieces were verified so far. */
  private verified = 0
  private writing: Promise<void> = Promise.resolve()

  private constructor(
    private readonly domain: SigningDomain,
    private readonly ports: EvidencePoolPorts,
  ) {
    this.count = ports.metrics.gauge('morphism_evidence_pieces', 'Proofs of contradictory signatures that are kept')
  }

  /** Reads what was kept before, and begins to listen. */
  static async open({ domain, ports }: { domain: SigningDomain; ports: EvidencePoolPorts }): Promise<EvidencePool> {
    const pool = new EvidencePool(domain, ports)
    for await (const [, value] of ports.store.entries({ from: prefix, to: prefixEnd })) pool.index(decodeKept(value))
    ports.network.onMessage('evidence', (from, bytes) => pool.receive(from, bytes))
    ports.network.onConnect(peer => pool.tell(peer.id, [...pool.pieces.values()]))
    ports.network.onDisconnect(peer => pool.forget(peer.id))
    return pool
  }

  /** Judges what waited for its set; call it as the chain grows. */
  onHead(): void {
    if (this.due.length > 0) return
    const waited = [...this.waiting].flatMap(([from, pieces]) => pieces.map(evidence => ({ from, evidence })))
    this.waiting.clear()
    this.judge(waited)
  }

  /** Takes two messages of one member that this node's consensus found to conflict. */
  reportMessages(first: Vote | Proposal, second: Vote | Proposal): void {
    if ('step' in first && 'step' in second) this.take(duplicateVote(first, second))
    else if ('validRound' in first && 'validRound' in second) this.take(duplicateProposal(first, second))
  }

  /** Takes two attestations of one batch index by a member, as they came; they need not be verified. */
  reportAttestations({
    set,
    member,
    attestations,
  }: {
    set: SequencerSet
    member: MemberIndex
    attestations: readonly [BatchAttestation, BatchAttestation]
  }): void {
    this.take(duplicateAttestation({ setId: set.setId, member, attestations }))
  }

  /** Kept pieces, oldest first; those of heights from `fromHeight` (then no attestations), those against one key. */
  list({ fromHeight, publicKey }: { fromHeight?: Height; publicKey?: BlsPublicKeyBytes } = {}): KeptEvidence[] {
    const key = publicKey && blsKeyId(publicKey)
    return [...this.pieces.values()].filter(
      piece =>
        (fromHeight === undefined || (heightOf(piece.evidence) ?? -1) >= fromHeight) &&
        (key === undefined || blsKeyId(piece.publicKey) === key),
    )
  }

  /** Resolves when what is known so far is on disk. */
  async settled(): Promise<void> {
    await this.writing
  }

  private receive(from: Peer, bytes: Uint8Array): void {
    try {
      this.judge(decodeEvidenceMessage(bytes).map(evidence => ({ from: from.id, evidence })))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.punish(from.id, { reason: 'malformed-evidence', severity: 'heavy', detail: error.message })
    }
  }

  private judge(pieces: readonly { readonly from: PeerId; readonly evidence: Evidence }[]): void {
    const isJudging = this.due.length > 0
    this.due.push(...pieces.slice(0, maxDue - this.due.length))
    if (!isJudging) this.judgeDue()
  }

  private judgeDue(): void {
    const enough = this.verified + verifiedPerTurn
    for (let looks = 0; looks < lookedAtPerTurn && this.verified < enough; looks++) {
      const piece = this.due.shift()
      if (!piece) return
      const { from, evidence } = piece
      const refusal = this.take(evidence)
      if (refusal === 'unknown-set') this.wait(from, evidence)
      else if (refusal) {
        this.punish(from, { reason: 'false-evidence', detail: refusal })
        this.due = this.due.filter(other => other.from !== from)
      }
    }
    if (this.due.length > 0) this.ports.clock.soon(() => this.judgeDue())
  }

  private forget(peer: PeerId): void {
    this.waiting.delete(peer)
    this.due = this.due.filter(({ from }) => from !== peer)
  }

  private wait(from: PeerId, evidence: Evidence): void {
    const pieces = this.waiting.get(from) ?? []
    this.waiting.set(from, pieces)
    pieces.push(evidence)
    if (pieces.length > maxWaiting) pieces.shift()
  }

  /** Keeps a new piece that holds; says why one does not. */
  private take(evidence: Evidence): EvidenceRefusal | 'unknown-set' | null {
    const set = this.ports.setOf(evidence)
    if (!set) return 'unknown-set'
    const accused = set.members[accusedOf(evidence)]
    if (accused && !this.isWanted(evidence, accused.publicKey.bytes)) return null
    this.verified++
    const verdict = verifyEvidence({ evidence, set, domain: this.domain })
    if (!verdict.ok) return verdict.error
    this.keep({ evidence, hash: evidenceHash(evidence), publicKey: verdict.value.publicKey.bytes })
    return null
  }

  private isWanted(evidence: Evidence, publicKey: BlsPublicKeyBytes): boolean {
    if (this.pieces.has(slotOf(evidence, publicKey)) || this.pieces.size >= maxPieces) return false
    return (this.piecesOfKey.get(blsKeyId(publicKey)) ?? 0) < maxPiecesPerKey
  }

  private keep(piece: KeptEvidence): void {
    const { evidence, hash, publicKey } = piece
    this.index(piece)
    this.ports.logger.error('a sequencer signed two conflicting messages', {
      kind: evidence.kind,
      publicKey: blsKeyId(publicKey),
      member: accusedOf(evidence),
      ...('height' in evidence.first
        ? { height: evidence.first.height, round: evidence.first.round }
        : { batchIndex: evidence.first.batchIndex }),
      evidence: hash,
    })
    const change = { key: concatBytes(prefix, hexToBytes(hash)), value: encodeKept(piece) }
    this.writing = this.writing
      .then(() => this.ports.store.write([change], { sync: true }))
      .catch(error => this.ports.logger.error('evidence could not be stored', { evidence: hash, error: String(error) }))
    for (const peer of this.ports.network.peers()) this.tell(peer.id, [piece])
  }

  private index(piece: KeptEvidence): void {
    const key = blsKeyId(piece.publicKey)
    this.pieces.set(slotOf(piece.evidence, piece.publicKey), piece)
    this.piecesOfKey.set(key, (this.piecesOfKey.get(key) ?? 0) + 1)
    this.count.set(this.pieces.size)
  }

  private tell(peer: PeerId, pieces: readonly KeptEvidence[]): void {
    for (let at = 0; at < pieces.length; at += maxEvidencePerMessage) {
      const part = pieces.slice(at, at + maxEvidencePerMessage).map(({ evidence }) => evidence)
      this.ports.network.send(peer, 'evidence', encodeEvidenceMessage(part))
    }
  }

  private punish(peer: PeerId, misbehaviour: Misbehaviour): void {
    this.ports.logger.warn('peer misbehaves on the evidence channel', { peer, ...misbehaviour })
    this.ports.network.drop(peer, misbehaviour)
  }
}

/** Null for attestations, which belong to a batch. */
const heightOf = ({ first }: Evidence): Height | null => ('height' in first ? first.height : null)

/** One piece is kept for each: who, and at which height or batch. */
function slotOf({ first }: Evidence, publicKey: BlsPublicKeyBytes): string {
  return `${blsKeyId(publicKey)} ${'height' in first ? `height ${first.height}` : `batch ${first.batchIndex}`}`
}

const encodeKept = ({ evidence, publicKey }: KeptEvidence) => encodeRlp([publicKey, encodeEvidence(evidence)])

function decodeKept(bytes: Uint8Array): KeptEvidence {
  const fields = RlpFields.decode(bytes, 'kept evidence')
  const publicKey = fields.bytes({ min: 48, max: 48 })
  const evidence = decodeEvidence(fields.bytes())
  fields.end()
  return { evidence, hash: evidenceHash(evidence), publicKey }
}
