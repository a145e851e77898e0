import { blsKeyId, verifyBls } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesToHex, type Hex } from '../../base/primitives/bytes.js'
import type { BatchHash } from '../../base/primitives/hashes.js'
import type { BatchIndex, Height, MemberIndex } from '../../base/primitives/quantities.js'
import { attestationDigest, type BatchAttestation, decodeAttestation } from '../../base/protocol/batch-attestation.js'
import { type DuplicateAttestation, duplicateAttestation, evidenceHash } from '../../base/protocol/evidence.js'
import type { SequencerSet, SequencerSetMember } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { verifyEvidence } from '../../rules/consensus/evidence.js'
import type { ForensicFile } from './forensic-file.js'
import type { SetSource } from './set-source.js'

/** A member who attested two hashes for one batch. */
export interface AttestationFinding {
  readonly culprit: SequencerSetMember
  readonly evidence: DuplicateAttestation
}

/** What the attestations show. */
export interface DoubleAttestations {
  readonly attestations: readonly AttestationFinding[]
  /** Evidence, each piece once, that names a set that is not known here. */
  readonly unjudged: readonly DuplicateAttestation[]
  /** Attestations in precommits of batches of which two hashes are claimed, at heights whose set is not known here. */
  readonly unjudgedAttestations: number
  /** Pieces of evidence that were not signed as they claim. */
  readonly refusedEvidence: number
}

/**
 * Contradictions among the attestations that are given as evidence and among those that precommits carry: one for each
 * key and batch, all signatures verified.
 */
export async function doubleAttestations(
  files: readonly ForensicFile[],
  { sets, domain }: { sets: SetSource; domain: SigningDomain },
): Promise<DoubleAttestations> {
  const found = new Map<string, AttestationFinding>()
  const unjudged = new Map<Hex, DuplicateAttestation>()
  let refusedEvidence = 0
  const add = (finding: AttestationFinding) => {
    const place = placeOf(finding.culprit, finding.evidence.first)
    if (!found.has(place)) found.set(place, finding)
  }
  for (const evidence of files.flatMap(file => file.evidence)) {
    if (evidence.kind !== 'duplicate-attestation') continue
    const set = await sets.withId(evidence.setId)
    if (!set) {
      unjudged.set(evidenceHash(evidence), evidence)
      continue
    }
    const verdict = verifyEvidence({ evidence, set, domain })
    if (verdict.ok) add({ culprit: verdict.value, evidence })
    else refusedEvidence++
  }
  const { places, unjudgedAttestations } = await claimsByPlace(files, sets)
  for (const { set, culprit, byHash } of places) {
    const attestations = twoSigned(byHash, culprit, domain)
    if (!attestations) continue
    add({ culprit, evidence: duplicateAttestation({ setId: set.setId, member: culprit.index, attestations }) })
  }
  return { attestations: [...found.values()], unjudged: [...unjudged.values()], unjudgedAttestations, refusedEvidence }
}

/** A key signs one attestation of a batch, whatever its index in the sets of the heights at which it sends it. */
const placeOf = ({ publicKey }: SequencerSetMember, { batchIndex }: BatchAttestation): string =>
  `${blsKeyId(publicKey.bytes)} ${batchIndex}`

/** What a precommit claims: its signature does not cover its extension, so anybody may have put it there. */
interface Claim {
  readonly height: Height
  readonly member: MemberIndex
  readonly attestation: BatchAttestation
}

/** The attestations that one member is said to have signed for one batch: by hash, then by signature. */
interface ClaimsOfPlace {
  /** A set that the member is in. */
  readonly set: SequencerSet
  readonly culprit: SequencerSetMember
  readonly byHash: Map<BatchHash, Map<Hex, BatchAttestation>>
}

/** Only batches of which two hashes are claimed: of an honest network's logs nothing is kept, and no set is asked for. */
async function claimsByPlace(
  files: readonly ForensicFile[],
  sets: SetSource,
): Promise<{ places: Iterable<ClaimsOfPlace>; unjudgedAttestations: number }> {
  const claims = claimsIn(files)
  const hashes = new Map<BatchIndex, Set<BatchHash>>()
  for (const { attestation } of claims) {
    const { batchIndex, batchHash } = attestation
    hashes.set(batchIndex, (hashes.get(batchIndex) ?? new Set()).add(batchHash))
  }
  const places = new Map<string, ClaimsOfPlace>()
  let unjudgedAttestations = 0
  for (const { height, member, attestation } of claims) {
    if (hashes.get(attestation.batchIndex)!.size === 1) continue
    const set = await sets.setAt(height)
    const culprit = set?.members[member]
    if (!set) unjudgedAttestations++
    if (!set || !culprit) continue
    const key = placeOf(culprit, attestation)
    const place = places.get(key) ?? { set, culprit, byHash: new Map() }
    places.set(key, place)
    const ofHash = place.byHash.get(attestation.batchHash) ?? new Map<Hex, BatchAttestation>()
    place.byHash.set(attestation.batchHash, ofHash.set(bytesToHex(attestation.signature), attestation))
  }
  return { places: places.values(), unjudgedAttestations }
}

function claimsIn(files: readonly ForensicFile[]): Claim[] {
  const votes = files.flatMap(file => [...file.votes, ...file.aggregates.flatMap(aggregate => aggregate.votes)])
  return votes.flatMap(({ height, member, extension }) => {
    const attestation = extension.length > 0 && attestationOf(extension)
    return attestation ? [{ height, member, attestation }] : []
  })
}

/** Two that the member truly signed, for two hashes. Each false one costs a pairing check, and takes nobody's place. */
function twoSigned(
  byHash: ClaimsOfPlace['byHash'],
  { publicKey: key }: SequencerSetMember,
  domain: SigningDomain,
): [BatchAttestation, BatchAttestation] | null {
  if (byHash.size < 2) return null
  let first: BatchAttestation | undefined
  for (const claims of byHash.values()) {
    const signed = [...claims.values()].find(attestation =>
      verifyBls({ digest: attestationDigest(domain, attestation), key, signature: attestation.signature }),
    )
    if (signed && first) return [first, signed]
    first ??= signed
  }
  return null
}

function attestationOf(extension: Uint8Array): BatchAttestation | null {
  try {
    return decodeAttestation(extension)
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}
