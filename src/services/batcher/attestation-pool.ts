import {
  aggregateSignatures,
  type BlsPublicKeyBytes,
  blsKeyId,
  verifyBls,
  verifyManyOverOneDigest,
} from '../../base/crypto/bls.js'
import type { Hex } from '../../base/primitives/bytes.js'
import type { BatchIndex, MemberIndex } from '../../base/primitives/quantities.js'
import {
  attestationDigest,
  type BatchAttestation,
  type BatchCertificate,
  encodeAttestation,
} from '../../base/protocol/batch-attestation.js'
import { isQuorum, maxSetSize, powerOf, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { SealedBatch } from './batch-store.js'

/** A sealed batch that has no certificate yet. */
export interface OpenBatch {
  readonly sealed: SealedBatch
  readonly set: SequencerSet
  /** This node's encoded attestation, once it is signed. */
  own: Uint8Array | null
}

interface Collected extends OpenBatch {
  readonly digest: Uint8Array
  readonly memberOf: ReadonlyMap<Hex, MemberIndex>
  readonly signatures: Map<MemberIndex, { readonly signature: Uint8Array; isVerified: boolean }>
  /** The first validly signed attestation of another hash, by member. */
  readonly divergent: Map<MemberIndex, BatchAttestation>
  /** Members who contradicted themselves. */
  readonly conflicted: Set<MemberIndex>
}

/** Two attestations of one batch index that a member signed, for two hashes. */
export interface AttestationConflict {
  readonly set: SequencerSet
  readonly member: MemberIndex
  readonly attestations: readonly [BatchAttestation, BatchAttestation]
}

/** What became of an attestation. `ready`: a quorum may exist now. `divergent`: validly signed for another hash. `forged`: not signed by its key. */
export type AttestationOutcome = 'ready' | 'added' | 'kept' | 'ignored' | 'divergent' | 'forged'

/** How many batches ahead of this node's own attestations are kept. */
const maxAhead = 16
/** Certified batches whose attestations are still compared, for members who contradict themselves. */
const maxEnded = 16

/** Collects attestations for the open batches; a signature is verified only when a quorum may exist, all of them as one. */
export class AttestationPool {
  private readonly open = new Map<BatchIndex, Collected>()
  private readonly ended = new Map<BatchIndex, Collected>()
  private readonly early = new Map<BatchIndex, Map<Hex, { key: BlsPublicKeyBytes; attestation: BatchAttestation }>>()

  constructor(
    private readonly domain: SigningDomain,
    private lastBegun: BatchIndex,
    private readonly onConflict: (conflict: AttestationConflict) => void,
  ) {}

  /** The newest batch that was begun or passed. */
  get last(): BatchIndex {
    return this.lastBegun
  }

  /** Open batches, oldest first. */
  batches(): IterableIterator<OpenBatch> {
    return this.open.values()
  }

  get(index: BatchIndex): OpenBatch | undefined {
    return this.open.get(index)
  }

  /** Begins to collect for a batch (indices rise from call to call); says what became of attestations that came early. */
  begin(sealed: SealedBatch, set: SequencerSet): { outcome: AttestationOutcome; attestation: BatchAttestation }[] {
    const { batchIndex } = sealed.header
    this.open.set(batchIndex, {
      sealed,
      set,
      own: null,
      digest: attestationDigest(this.domain, { batchIndex, batchHash: sealed.batchHash }),
      memberOf: new Map(set.members.map(member => [blsKeyId(member.publicKey.bytes), member.index])),
      signatures: new Map(),
      divergent: new Map(),
      conflicted: new Set(),
    })
    const kept = [...(this.early.get(batchIndex)?.values() ?? [])]
    this.pass(batchIndex)
    return kept.map(({ key, attestation }) => ({ outcome: this.add(key, attestation), attestation }))
  }

  /** Goes past a batch that needs no attestations. */
  pass(index: BatchIndex): void {
    this.lastBegun = index
    for (const early of this.early.keys()) if (early <= index) this.early.delete(early)
  }

  /** Takes the attestation that a key is said to have signed. */
  add(key: BlsPublicKeyBytes, attestation: BatchAttestation): AttestationOutcome {
    const { batchIndex, batchHash, signature } = attestation
    if (batchIndex > this.lastBegun) return this.keep(key, attestation)
    const batch = this.open.get(batchIndex) ?? this.ended.get(batchIndex)
    const member = batch?.memberOf.get(blsKeyId(key))
    if (!batch || member === undefined) return 'ignored'
    if (batchHash !== batch.sealed.batchHash) return this.judgeDivergence(batch, member, attestation)
    if (batch.signatures.has(member)) return 'ignored'
    batch.signatures.set(member, { signature, isVerified: false })
    const other = batch.divergent.get(member)
    if (other) {
      if (!this.validAgreement(batch, member)) return 'forged'
      this.reportConflict(batch, member, [other, attestation])
    }
    if (this.ended.has(batchIndex)) return 'ignored'
    return hasQuorum(batch) ? 'ready' : 'added'
  }

  /** Takes this node's own attestation, which the next precommits carry. */
  addOwn(key: BlsPublicKeyBytes, attestation: BatchAttestation): AttestationOutcome {
    const batch = this.open.get(attestation.batchIndex)
    if (batch) batch.own = encodeAttestation(attestation)
    return this.add(key, attestation)
  }

  /** Verifies what is collected, forgets what is forged, and aggregates when a quorum remains. */
  certify(index: BatchIndex): BatchCertificate | null {
    const batch = this.open.get(index)
    if (!batch || !hasQuorum(batch)) return null
    const unverified = [...batch.signatures].filter(([, entry]) => !entry.isVerified)
    const valid = verifyManyOverOneDigest({
      digest: batch.digest,
      signed: unverified.map(([member, { signature }]) => ({
        keys: [batch.set.members[member]!.publicKey],
        signature,
      })),
    })
    for (const [i, [member, entry]] of unverified.entries()) {
      if (valid[i]) entry.isVerified = true
      else batch.signatures.delete(member)
    }
    if (!hasQuorum(batch)) return null
    let absent = 0n
    for (const member of batch.set.members)
      if (!batch.signatures.has(member.index)) absent |= 1n << BigInt(member.index)
    const signature = aggregateSignatures([...batch.signatures.values()].map(entry => entry.signature))
    return { batchIndex: index, batchHash: batch.sealed.batchHash, absent, signature }
  }

  /** The batch has its certificate. */
  end(index: BatchIndex): void {
    const batch = this.open.get(index)
    if (!batch) return
    this.open.delete(index)
    this.ended.set(index, batch)
    for (const oldest of this.ended.keys()) if (this.ended.size > maxEnded) this.ended.delete(oldest)
  }

  private keep(key: BlsPublicKeyBytes, attestation: BatchAttestation): AttestationOutcome {
    const { batchIndex } = attestation
    if (batchIndex > this.lastBegun + maxAhead) return 'ignored'
    const kept = this.early.get(batchIndex) ?? new Map()
    this.early.set(batchIndex, kept)
    const id = blsKeyId(key)
    if (kept.has(id) || kept.size >= 2 * maxSetSize) return 'ignored'
    kept.set(id, { key, attestation })
    return 'kept'
  }

  /** Only a valid signature accuses: anybody could have put another's name on a hash. */
  private judgeDivergence(batch: Collected, member: MemberIndex, attestation: BatchAttestation): AttestationOutcome {
    const before = batch.divergent.get(member)
    if (batch.conflicted.has(member) || before?.batchHash === attestation.batchHash) return 'ignored'
    const digest = attestationDigest(this.domain, attestation)
    const key = batch.set.members[member]!.publicKey
    if (!verifyBls({ digest, key, signature: attestation.signature })) return 'forged'
    const other = before ?? this.validAgreement(batch, member)
    if (other) this.reportConflict(batch, member, [other, attestation])
    if (before) return 'ignored'
    batch.divergent.set(member, attestation)
    return 'divergent'
  }

  /** What the member signed for this node's hash; a forged signature is forgotten, so that the true one may still come. */
  private validAgreement({ sealed, set, digest, signatures }: Collected, member: MemberIndex): BatchAttestation | null {
    const entry = signatures.get(member)
    if (!entry) return null
    const { signature } = entry
    entry.isVerified ||= verifyBls({ digest, key: set.members[member]!.publicKey, signature })
    if (entry.isVerified) return { batchIndex: sealed.header.batchIndex, batchHash: sealed.batchHash, signature }
    signatures.delete(member)
    return null
  }

  private reportConflict(
    { set, conflicted }: Collected,
    member: MemberIndex,
    attestations: readonly [BatchAttestation, BatchAttestation],
  ): void {
    if (conflicted.has(member)) return
    conflicted.add(member)
    this.onConflict({ set, member, attestations })
  }
}

function hasQuorum({ set, signatures }: Collected): boolean {
  return isQuorum(set, powerOf(set, signatures.keys()))
}
