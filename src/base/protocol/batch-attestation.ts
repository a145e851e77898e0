import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import { hexToBytes } from '../primitives/bytes.js'
import type { BatchHash } from '../primitives/hashes.js'
import type { BatchIndex } from '../primitives/quantities.js'
import { type SigningDomain, signingDigest, structHash, typeHash, uintWord } from './signing-domain.js'

/** One sequencer's word for a batch; travels as the extension of its precommit. */
export interface BatchAttestation {
  readonly batchIndex: BatchIndex
  readonly batchHash: BatchHash
  /** 96 bytes over `attestationDigest`. */
  readonly signature: Uint8Array
}

/** The aggregated attestations of a quorum: what L1 verifies. */
export interface BatchCertificate {
  readonly batchIndex: BatchIndex
  readonly batchHash: BatchHash
  /** Bit i is set when member i did not sign. */
  readonly absent: bigint
  readonly signature: Uint8Array
}

const attestationType = typeHash('BatchAttestation(uint64 batchIndex,bytes32 batchHash)')

/** The digest that sequencers sign and L1 verifies. */
export function attestationDigest(
  domain: SigningDomain,
  { batchIndex, batchHash }: { batchIndex: BatchIndex; batchHash: BatchHash },
): Uint8Array {
  return signingDigest(domain, structHash(attestationType, uintWord(batchIndex), hexToBytes(batchHash)))
}

export function encodeAttestation({ batchIndex, batchHash, signature }: BatchAttestation): Uint8Array {
  return encodeRlp([rlpUint(batchIndex), rlpHex(batchHash), signature])
}

/** @throws DecodeError */
export function decodeAttestation(bytes: Uint8Array): BatchAttestation {
  const fields = RlpFields.decode(bytes, 'batch attestation')
  const attestation: BatchAttestation = {
    batchIndex: fields.safeUint(),
    batchHash: fields.hash(),
    signature: fields.bytes({ min: 96, max: 96 }),
  }
  fields.end()
  return attestation
}

export function encodeBatchCertificate({ batchIndex, batchHash, absent, signature }: BatchCertificate): Uint8Array {
  return encodeRlp([rlpUint(batchIndex), rlpHex(batchHash), rlpUint(absent), signature])
}

/** @throws DecodeError */
export function decodeBatchCertificate(bytes: Uint8Array): BatchCertificate {
  const fields = RlpFields.decode(bytes, 'batch certificate')
  const certificate: BatchCertificate = {
    batchIndex: fields.safeUint(),
    batchHash: fields.hash(),
    absent: fields.uint(256),
    signature: fields.bytes({ min: 96, max: 96 }),
  }
  fields.end()
  return certificate
}
