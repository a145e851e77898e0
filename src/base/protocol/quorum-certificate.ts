import { type BlsPublicKey, verifyAggregate, verifyAggregatesTogether } from '../crypto/bls.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import type { BlockHash } from '../primitives/hashes.js'
import type { Height, Power, Round, SetId } from '../primitives/quantities.js'
import { ok, type Result, refuse } from '../primitives/result.js'
import { isQuorum, type SequencerSet } from './sequencer-set.js'
import type { SigningDomain } from './signing-domain.js'
import { precommit, voteDigest } from './vote.js'

/** Proof that a quorum precommitted a block: everything that a follower needs to accept it. */
export interface QuorumCertificate {
  readonly height: Height
  readonly round: Round
  readonly blockHash: BlockHash
  readonly setId: SetId
  /** Bit i is set when member i did not sign. */
  readonly absent: bigint
  /** Aggregate of the signers' precommits, 96 bytes. */
  readonly signature: Uint8Array
}

/** Why a certificate or a batch attestation of a set is refused. */
export type QuorumRefusal = 'wrong-set' | 'unknown-member' | 'not-enough-power' | 'bad-signature'

/** Keys and power of the members whose bit is not set. */
export function signersOf(
  set: SequencerSet,
  absent: bigint,
): Result<{ keys: BlsPublicKey[]; power: Power }, QuorumRefusal> {
  if (absent < 0n || absent >> BigInt(set.members.length) !== 0n) return refuse('unknown-member')
  const keys: BlsPublicKey[] = []
  let power = 0n
  for (const member of set.members) {
    if ((absent >> BigInt(member.index)) & 1n) continue
    keys.push(member.publicKey)
    power += member.power
  }
  return ok({ keys, power })
}

/** What a quorum claims to have signed together. */
interface QuorumClaim {
  readonly set: SequencerSet
  readonly absent: bigint
  readonly digest: Uint8Array
  readonly signature: Uint8Array
}

/** Keys of the signers of a claim, when they are a quorum of the set. */
function quorumKeys({ set, absent }: QuorumClaim): Result<readonly BlsPublicKey[], QuorumRefusal> {
  const signers = signersOf(set, absent)
  if (!signers.ok) return signers
  if (!isQuorum(set, signers.value.power)) return refuse('not-enough-power')
  return ok(signers.value.keys)
}

/** Checks one aggregate signature by a quorum of the set over a digest. */
export function verifyQuorum(claim: QuorumClaim): Result<void, QuorumRefusal> {
  const keys = quorumKeys(claim)
  if (!keys.ok) return keys
  const { digest, signature } = claim
  if (!verifyAggregate({ digest, keys: keys.value, signature })) return refuse('bad-signature')
  return ok(undefined)
}

/** A certificate, the set of its height, and the domain that its signers sign for. */
interface CertificateCheck {
  readonly certificate: QuorumCertificate
  readonly set: SequencerSet
  readonly domain: SigningDomain
}

function claimOf({ certificate, set, domain }: CertificateCheck): Result<QuorumClaim, QuorumRefusal> {
  if (certificate.setId !== set.setId) return refuse('wrong-set')
  const { height, round, blockHash, absent, signature } = certificate
  return ok({ set, absent, signature, digest: voteDigest(domain, { height, round, step: precommit, blockHash }) })
}

/** Checks a certificate against the set of its height (protocol.md section 1). */
export function verifyCertificate(check: CertificateCheck): Result<void, QuorumRefusal> {
  const claim = claimOf(check)
  return claim.ok ? verifyQuorum(claim.value) : claim
}

/** Whether all these certificates are good, at less than half of what checking each costs. False says nothing of which is not. */
export function verifyCertificatesTogether(checks: readonly CertificateCheck[]): boolean {
  const claims = []
  for (const check of checks) {
    const claim = claimOf(check)
    const keys = claim.ok ? quorumKeys(claim.value) : claim
    if (!claim.ok || !keys.ok) return false
    claims.push({ digest: claim.value.digest, keys: keys.value, signature: claim.value.signature })
  }
  return verifyAggregatesTogether(claims)
}

export function encodeCertificate(certificate: QuorumCertificate): Uint8Array {
  const { height, round, blockHash, setId, absent, signature } = certificate
  return encodeRlp([rlpUint(height), rlpUint(round), rlpHex(blockHash), rlpUint(setId), rlpUint(absent), signature])
}

/** @throws DecodeError */
export function decodeCertificate(bytes: Uint8Array): QuorumCertificate {
  const fields = RlpFields.decode(bytes, 'certificate')
  const certificate: QuorumCertificate = {
    height: fields.safeUint(),
    round: Number(fields.uint(32)),
    blockHash: fields.hash(),
    setId: fields.safeUint(),
    absent: fields.uint(256),
    signature: fields.bytes({ min: 96, max: 96 }),
  }
  fields.end()
  return certificate
}
