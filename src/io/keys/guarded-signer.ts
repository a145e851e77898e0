import type { BlsPublicKeyBytes, BlsSecretKey } from '../../base/crypto/bls.js'
import { asciiToBytes, bytesToHex } from '../../base/primitives/bytes.js'
import { attestationDigest, type BatchAttestation } from '../../base/protocol/batch-attestation.js'
import { nodeBindingDigest } from '../../base/protocol/node-binding.js'
import { type Proposal, proposalDigest } from '../../base/protocol/proposal.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { prevote, type VoteContent, voteDigest } from '../../base/protocol/vote.js'
import type { ConsensusSigner } from './consensus-signer.js'
import { FileSigningRecord } from './file-signing-record.js'
import { SignerRefusal } from './signer-refusal.js'
import type { SignedPosition, SigningRecord, SigningRecordStore } from './signing-record.js'

/**
 * Signs with a key in memory and never twice: a record of the last position of each kind is made durable before the
 * signature exists, and only a later position or the recorded digest itself is signed (EIP-3076 in spirit). Votes are in
 * order of (height, round, step) among themselves, proposals of (height, round), attestations of the batch index.
 */
export class GuardedSigner implements ConsensusSigner {
  readonly publicKey: BlsPublicKeyBytes
  private readonly secretKey: BlsSecretKey
  private readonly domain: SigningDomain
  private readonly store: SigningRecordStore
  /** Ahead of the store while a save runs: a second request at the same position is judged by the first. */
  private record: SigningRecord

  constructor(ports: { secretKey: BlsSecretKey; domain: SigningDomain; record: SigningRecordStore }) {
    this.secretKey = ports.secretKey
    this.domain = ports.domain
    this.store = ports.record
    this.publicKey = ports.secretKey.publicKey()
    this.record = ports.record.load()
  }

  /** A signer whose record lies in a file that belongs to this key and domain. @throws KeyError SIGNING_RECORD_CORRUPT, SIGNING_RECORD_LOCKED */
  static async open(at: {
    secretKey: BlsSecretKey
    domain: SigningDomain
    recordPath: string
  }): Promise<GuardedSigner> {
    const { secretKey, domain } = at
    const owner = asciiToBytes(`${bytesToHex(secretKey.publicKey())} ${domain.l1ChainId} ${domain.rollup}`)
    const record = await FileSigningRecord.open({ path: at.recordPath, owner })
    return new GuardedSigner({ secretKey, domain, record })
  }

  async signProposal(content: Omit<Proposal, 'proposer' | 'signature'>): Promise<Uint8Array> {
    const digest = proposalDigest(this.domain, content)
    const asked = position(content, digest)
    const { proposal } = this.record
    if (!isSame(asked, proposal)) {
      const order = compare(asked, proposal)
      if (order === 0) throw double('DOUBLE_PROPOSAL', 'proposal', asked)
      if (order < 0) throw below('proposal', { asked, signed: proposal })
      this.record = { ...this.record, proposal: asked }
    }
    return this.saveAndSign(digest)
  }

  async signVote(content: VoteContent): Promise<Uint8Array> {
    const digest = voteDigest(this.domain, content)
    const asked = position(content, digest)
    const kind = content.step === prevote ? 'prevote' : 'precommit'
    const signed = this.record[kind]
    if (!isSame(asked, signed)) {
      if (compare(asked, signed) === 0) throw double('DOUBLE_VOTE', kind, asked)
      if (compare(asked, signed) < 0) throw below(kind, { asked, signed })
      // A prevote comes before the precommit of its round.
      const { precommit } = this.record
      if (kind === 'prevote' && compare(asked, precommit) <= 0) throw below(kind, { asked, signed: precommit })
      if (kind === 'precommit' && compare(asked, this.record.prevote) < 0)
        throw below(kind, { asked, signed: this.record.prevote })
      this.record = { ...this.record, [kind]: asked }
    }
    return this.saveAndSign(digest)
  }

  async signAttestation(content: Omit<BatchAttestation, 'signature'>): Promise<Uint8Array> {
    const digest = attestationDigest(this.domain, content)
    const asked = { batchIndex: content.batchIndex, digest: bytesToHex(digest) }
    const { attestation: signed } = this.record
    if (asked.batchIndex < signed.batchIndex) throw below('attestation', { asked, signed })
    if (asked.batchIndex === signed.batchIndex && asked.digest !== signed.digest)
      throw double('DOUBLE_ATTESTATION', 'attestation', asked)
    this.record = { ...this.record, attestation: asked }
    return this.saveAndSign(digest)
  }

  async signNodeBinding(peerId: Uint8Array): Promise<Uint8Array> {
    return this.secretKey.sign(nodeBindingDigest(this.domain, peerId))
  }

  async close(): Promise<void> {
    await this.store.close()
  }

  /** Saves also when nothing changed: the save of an equal request before this one may have failed. */
  private async saveAndSign(digest: Uint8Array): Promise<Uint8Array> {
    await this.store.save(this.record)
    return this.secretKey.sign(digest)
  }
}

function position({ height, round }: { height: number; round: number }, digest: Uint8Array): SignedPosition {
  return { height, round, digest: bytesToHex(digest) }
}

function compare(a: SignedPosition, b: SignedPosition): number {
  return a.height - b.height || a.round - b.round
}

function isSame(a: SignedPosition, b: SignedPosition): boolean {
  return compare(a, b) === 0 && a.digest === b.digest
}

function double(code: 'DOUBLE_PROPOSAL' | 'DOUBLE_VOTE' | 'DOUBLE_ATTESTATION', kind: string, asked: object) {
  return new SignerRefusal(code, `another ${kind} is signed at this position`, { kind, asked })
}

function below(kind: string, { asked, signed }: { asked: object; signed: object }): SignerRefusal {
  return new SignerRefusal('BELOW_RECORD', `a ${kind} is asked for before the last signed position`, {
    kind,
    asked,
    signed,
  })
}
