import { aggregateSignatures, type BlsPublicKeyBytes, blsKeyId } from '../../base/crypto/bls.js'
import { bytesEqual, type Hex } from '../../base/primitives/bytes.js'
import type { BatchIndex, Height, MemberIndex } from '../../base/primitives/quantities.js'
import {
  attestationDigest,
  type BatchAttestation,
  type BatchCertificate,
  encodeAttestation,
} from '../../base/protocol/batch-attestation.js'
import { isQuorum, maxSetSize, powerOf, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { SealedBatch } from './batch-store.js'

/** A sealed batch that has no certificate yet. */
export interface OpenBatch {
  readonly sealed: SealedBatch
  readonly set: SequencerSet
  /** This node's encoded attestation, once it is signed. */
  own: Uint8Array | null
}

/**
 * How an attestation came: from the peer that speaks for its signer's key (or from this node itself), or as the extension of
 * a vote, which whoever adds votes up may have changed.
 */
export type Bearer = 'signer' | 'vote'

/** An attestation that came, and the key that is said to have signed it. */
export interface BroughtAttestation {
  readonly key: BlsPublicKeyBytes
  readonly attestation: BatchAttestation
  readonly bearer: Bearer
}

/** What one bearer brought in a member's name. */
interface Brought {
  /** A signature of this node's hash that is not verified yet. */
  claim: Uint8Array | null
  /** The last that was found forged. */
  refuted: BatchAttestation | null
  /** Signatures that were verified one by one at this height. */
  height: Height
  checks: number
}

interface MemberRecord {
  /** The member's verified signature of this node's hash. */
  agreed: Uint8Array | null
  /** The first validly signed attestation of another hash. */
  divergent: BatchAttestation | null
  /** The member contradicted itself, and was reported. */
  isConflicted: boolean
  readonly by: Readonly<Record<Bearer, Brought>>
}

interface Collected extends OpenBatch {
  readonly digest: Uint8Array
  readonly memberOf: ReadonlyMap<Hex, MemberIndex>
  /** By member. */
  readonly records: readonly MemberRecord[]
}

interface Claim {
  readonly member: MemberIndex
  readonly bearer: Bearer
  readonly signature: Uint8Array
}

/** Two attestations of one batch index that a member signed, for two hashes. */
export interface AttestationConflict {
  readonly set: SequencerSet
  readonly member: MemberIndex
  readonly attestations: readonly [BatchAttestation, BatchAttestation]
}

/** What became of an attestation. `ready`: a quorum may exist now. `divergent`: validly signed for another hash. `forged`: not signed by its key. */
export type AttestationOutcome = 'ready' | 'added' | 'kept' | 'ignored' | 'divergent' | 'forged'

/** How many batches ahead of this node's own attestations are kept, and how many for one batch: two sets', and more. */
const maxAhead = 16
const maxEarly = 8 * maxSetSize
/** Certified batches whose attestations are still compared, for members who contradict themselves. */
const maxEnded = 16
/** Signatures verified one by one, of one batch, member, bearer and height; and of all that wait for it. */
const maxChecks = 4
const maxWaiting = 512

/**
 * Collects attestations for the open batches. A signature is verified only when a quorum may exist, all of them as one; or
 * alone, when it contradicts what its signer is said to have signed. All of it by the verifier, a few at a time.
 */
export class AttestationPool {
  /** Decided by now: checks are counted anew at each height. */
  height: Height = 0
  private readonly open = new Map<BatchIndex, Collected>()
  private readonly ended = new Map<BatchIndex, Collected>()
  private readonly early = new Map<BatchIndex, Map<string, BroughtAttestation>>()
  private checking: Promise<unknown> = Promise.resolve()
  private waiting = 0

  constructor(
    private readonly domain: SigningDomain,
    private lastBegun: BatchIndex,
    private readonly ports: {
      readonly verifier: Pick<SignatureVerifier, 'verify'>
      readonly onConflict: (conflict: AttestationConflict) => void
      /** Whether the key may be of the set of a batch that this node has not sealed. */
      readonly isMember: (key: BlsPublicKeyBytes) => boolean
    },
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

  /** Begins to collect for a batch (indices rise from call to call); returns what came early, to be added now. */
  begin(sealed: SealedBatch, set: SequencerSet): BroughtAttestation[] {
    const { batchIndex } = sealed.header
    this.open.set(batchIndex, {
      sealed,
      set,
      own: null,
      digest: attestationDigest(this.domain, { batchIndex, batchHash: sealed.batchHash }),
      memberOf: new Map(set.members.map(member => [blsKeyId(member.publicKey.bytes), member.index])),
      records: set.members.map(() => ({
        agreed: null,
        divergent: null,
        isConflicted: false,
        by: { signer: nothingBrought(), vote: nothingBrought() },
      })),
    })
    const early = [...(this.early.get(batchIndex)?.values() ?? [])]
    this.pass(batchIndex)
    return early
  }

  /** Goes past a batch that needs no attestations. */
  pass(index: BatchIndex): void {
    this.lastBegun = index
    for (const early of this.early.keys()) if (early <= index) this.early.delete(early)
  }

  /** Takes the attestation that a key is said to have signed. Rejects when the verifier does. */
  async add(brought: BroughtAttestation): Promise<AttestationOutcome> {
    const { key, attestation, bearer } = brought
    const { batchIndex, batchHash, signature } = attestation
    if (batchIndex > this.lastBegun) return this.keep(brought)
    const batch = this.open.get(batchIndex) ?? this.ended.get(batchIndex)
    const member = batch?.memberOf.get(blsKeyId(key))
    if (!batch || member === undefined) return 'ignored'
    const record = batch.records[member]!
    const before = record.by[bearer]
    if (before.refuted && isSame(before.refuted, attestation)) return 'forged'
    if (batchHash !== batch.sealed.batchHash) return this.addDivergent(batch, member, brought)
    if (record.agreed || (before.claim && bytesEqual(before.claim, signature))) return 'ignored'
    if (before.claim || before.refuted || record.divergent) return this.addChecked(batch, { member, bearer, signature })
    before.claim = signature
    return this.progress(batch)
  }

  /** Takes this node's own attestation, which the next precommits carry. */
  addOwn(key: BlsPublicKeyBytes, attestation: BatchAttestation): Promise<AttestationOutcome> {
    const batch = this.open.get(attestation.batchIndex)
    if (batch) batch.own = encodeAttestation(attestation)
    return this.add({ key, attestation, bearer: 'signer' })
  }

  /** Verifies what is collected, forgets what is forged, and aggregates when a quorum remains. Rejects when the verifier does. */
  async certify(index: BatchIndex): Promise<BatchCertificate | null> {
    const batch = this.open.get(index)
    if (!batch || !hasQuorum(batch)) return null
    await this.verify(
      batch,
      batch.records.flatMap((_, member) => claimsOf(batch, member)),
    )
    const { set, records, sealed } = batch
    const agreed = set.members.map(({ index }) => records[index]!.agreed)
    const signers = set.members.flatMap(({ index }) => (agreed[index] ? [index] : []))
    if (!isQuorum(set, powerOf(set, signers))) return null
    let absent = 0n
    for (const { index } of set.members) if (!agreed[index]) absent |= 1n << BigInt(index)
    const signature = aggregateSignatures(signers.map(index => agreed[index]!))
    return { batchIndex: index, batchHash: sealed.batchHash, absent, signature }
  }

  /** The batch has its certificate. */
  end(index: BatchIndex): void {
    const batch = this.open.get(index)
    if (!batch) return
    this.open.delete(index)
    this.ended.set(index, batch)
    for (const oldest of this.ended.keys()) if (this.ended.size > maxEnded) this.ended.delete(oldest)
  }

  /** Resolves when nothing is being verified. */
  async settled(): Promise<void> {
    await this.checking
  }

  private keep(brought: BroughtAttestation): AttestationOutcome {
    const { key, attestation, bearer } = brought
    const { batchIndex } = attestation
    if (batchIndex > this.lastBegun + maxAhead) return 'ignored'
    // Votes are of members anyway; a connection may speak for any key.
    if (bearer === 'signer' && !this.ports.isMember(key)) return 'ignored'
    const kept = this.early.get(batchIndex) ?? new Map<string, BroughtAttestation>()
    this.early.set(batchIndex, kept)
    const slot = `${bearer} ${blsKeyId(key)}`
    if (kept.has(slot) || kept.size >= maxEarly) return 'ignored'
    kept.set(slot, brought)
    return 'kept'
  }

  private progress(batch: Collected): AttestationOutcome {
    if (!this.open.has(batch.sealed.header.batchIndex)) return 'ignored'
    return hasQuorum(batch) ? 'ready' : 'added'
  }

  /** A claim that is not the first: the first may be forged and hide it for good when it comes but once, or this one be forged again. */
  private addChecked(batch: Collected, claim: Claim): Promise<AttestationOutcome> {
    const { member, bearer, signature } = claim
    const record = batch.records[member]!
    return this.checked(record.by[bearer], async () => {
      if (record.agreed) return 'ignored'
      await this.verify(batch, [claim, ...claimsOf(batch, member)])
      const { refuted } = record.by[bearer]
      return refuted && bytesEqual(refuted.signature, signature) ? 'forged' : this.progress(batch)
    })
  }

  /** Only a valid signature accuses: anybody could have put another's name on a hash. */
  private addDivergent(
    batch: Collected,
    member: MemberIndex,
    { attestation, bearer }: BroughtAttestation,
  ): AttestationOutcome | Promise<AttestationOutcome> {
    const record = batch.records[member]!
    const isKnown = () => record.isConflicted || record.divergent?.batchHash === attestation.batchHash
    if (isKnown()) return 'ignored'
    return this.checked(record.by[bearer], async () => {
      if (isKnown()) return 'ignored'
      const [isValid] = await this.ports.verifier.verify({
        digest: attestationDigest(this.domain, attestation),
        signed: [{ keys: [batch.set.members[member]!.publicKey], signature: attestation.signature }],
      })
      if (!isValid) {
        record.by[bearer].refuted = attestation
        return 'forged'
      }
      const before = record.divergent ?? agreementOf(batch, member)
      if (before) this.reportConflict(batch, member, [before, attestation])
      if (record.divergent) return 'ignored'
      record.divergent = attestation
      await this.verify(batch, claimsOf(batch, member))
      return 'divergent'
    })
  }

  /** Verifies claims for this node's hash; of a member with several one true one is kept, and the forged are forgotten. */
  private async verify(batch: Collected, claims: readonly Claim[]): Promise<void> {
    if (claims.length === 0) return
    const { set, digest, records, sealed } = batch
    const signed = claims.map(({ member, signature }) => ({ keys: [set.members[member]!.publicKey], signature }))
    const valid = await this.ports.verifier.verify({ digest, signed })
    const { batchIndex } = sealed.header
    for (const [i, { member, bearer, signature }] of claims.entries()) {
      const record = records[member]!
      const attestation = { batchIndex, batchHash: sealed.batchHash, signature }
      if (!valid[i]) {
        record.by[bearer].refuted = attestation
        if (record.by[bearer].claim === signature) record.by[bearer].claim = null
      } else if (!record.agreed) {
        record.agreed = signature
        for (const brought of Object.values(record.by)) brought.claim = null
        if (record.divergent) this.reportConflict(batch, member, [record.divergent, attestation])
      }
    }
  }

  /** Runs the checks of single signatures one after the other, so that the verifier has room for votes in between. */
  private checked(brought: Brought, check: () => Promise<AttestationOutcome>): Promise<AttestationOutcome> {
    if (brought.height !== this.height) Object.assign(brought, { height: this.height, checks: 0 })
    if (brought.checks >= maxChecks || this.waiting >= maxWaiting) return Promise.resolve('ignored')
    brought.checks++
    this.waiting++
    const run = this.checking.then(check).finally(() => this.waiting--)
    this.checking = run.catch(() => {})
    return run
  }

  private reportConflict(
    { set, records }: Collected,
    member: MemberIndex,
    attestations: readonly [BatchAttestation, BatchAttestation],
  ): void {
    const record = records[member]!
    if (record.isConflicted) return
    record.isConflicted = true
    this.ports.onConflict({ set, member, attestations })
  }
}

const nothingBrought = (): Brought => ({ claim: null, refuted: null, height: 0, checks: 0 })

const isSame = (a: BatchAttestation, b: BatchAttestation) =>
  a.batchHash === b.batchHash && bytesEqual(a.signature, b.signature)

function claimsOf({ records }: Collected, member: MemberIndex): Claim[] {
  const { signer, vote } = records[member]!.by
  const claims: Claim[] = []
  if (signer.claim) claims.push({ member, bearer: 'signer', signature: signer.claim })
  if (vote.claim) claims.push({ member, bearer: 'vote', signature: vote.claim })
  return claims
}

function agreementOf({ sealed, records }: Collected, member: MemberIndex): BatchAttestation | null {
  const signature = records[member]!.agreed
  return signature && { batchIndex: sealed.header.batchIndex, batchHash: sealed.batchHash, signature }
}

function hasQuorum({ set, records }: Collected): boolean {
  const isNamed = ({ agreed, by }: MemberRecord) =>
    agreed !== null || by.signer.claim !== null || by.vote.claim !== null
  const named = set.members.map(({ index }) => index).filter(index => isNamed(records[index]!))
  return isQuorum(set, powerOf(set, named))
}
