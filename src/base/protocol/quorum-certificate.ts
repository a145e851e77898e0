import { type AggregateClaim, type BlsPublicKey, verifyAggregate } from '../crypto/bls.js'
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

/** What the members of a set that are not absent are said to have signed together. */
interface QuorumSignature {
  readonly set: SequencerSet
  readonly absent: bigint
  readonly digest: Uint8Array
  readonly signature: Uint8Array
}

/** What is left to check of it: the signature, by these keys, which are a quorum's. */
export function quorumClaim({
  set,
  absent,
  digest,
  signature,
}: QuorumSignature): Result<AggregateClaim, QuorumRefusal> {
  const signers = signersOf(set, absent)
  if (!signers.ok) return signers
  if (!isQuorum(set, signers.value.power)) return refuse('not-enough-power')
  return ok({ digest, keys: signers.value.keys, signature })
}

/** Checks one aggregate signature by a quorum of the set over a digest, on the calling thread. */
export function verifyQuorum(signed: QuorumSignature): Result<void, QuorumRefusal> {
  return verifyClaim(quorumClaim(signed))
}

/** A certificate, the set of its height, and the domain that its signers sign for. */
interface CertificateCheck {
  readonly certificate: QuorumCertificate
  readonly set: SequencerSet
  readonly domain: SigningDomain
}

/** What is left to check of a certificate of this set (protocol.md section 1): the signature, by these keys. */
export function certificateClaim({
  certificate,
  set,
  domain,
}: CertificateCheck): Result<AggregateClaim, QuorumRefusal> {
  if (certificate.setId !== set.setId) return refuse('wrong-set')
  const { height, round, blockHash, absent, signature } = certificate
  return quorumClaim({
    set,
    absent,
    signature,
    digest: voteDigest(domain, { height, round, step: precommit, blockHash }),
  })
}

/** Checks a certificate against the set of its height, on the calling thread. */
export function verifyCertificate(check: CertificateCheck): Result<void, QuorumRefusal> {
  return verifyClaim(certificateClaim(check))
}

function verifyClaim(claim: Result<AggregateClaim, QuorumRefusal>): Result<void, QuorumRefusal> {
  if (!claim.ok) return claim
  return verifyAggregate(claim.value) ? ok(undefined) : refuse('bad-signature')
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
