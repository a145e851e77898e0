import { randomBytes } from 'node:crypto'
import {
  type BlsPublicKey,
  type BlsPublicKeyBytes,
  type BlsSecretKey,
  parseBlsPublicKey,
  verifyBls,
} from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Height } from '../../base/primitives/quantities.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import { nodeBindingDigest } from '../../base/protocol/node-binding.js'
import { proposalDigest } from '../../base/protocol/proposal.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { prevote, voteDigest } from '../../base/protocol/vote.js'
import type {
  AttestationContent,
  ConsensusSigner,
  Observation,
  ObservedMessage,
  ProposalContent,
  VoteToSign,
} from './consensus-signer.js'
import { FileSigningRecord } from './file-signing-record.js'
import { SignerRefusal, type SignerRefusalCode } from './signer-refusal.js'
import { nameOfStop, type SigningRecord, type SigningRecordStore, type SigningStop } from './signing-record.js'
import { type AskedMessage, admit, judge, raiseFloor, resume, type SignedMessage, stopBy } from './signing-rules.js'

/** A message with the bytes that a signature of it covers. */
interface Digested<Message extends SignedMessage = SignedMessage> {
  readonly message: Message
  readonly digest: Uint8Array
}

/**
 * Signs with a key in memory and never twice: a record of the last position of each kind is made durable before the
 * signature exists, and only a later position or the recorded digest itself is signed (EIP-3076 in spirit; the rules are
 * in signing-rules.ts). A message of its key that the record does not know stops it, durably.
 */
export class GuardedSigner implements ConsensusSigner {
  readonly publicKey: BlsPublicKeyBytes
  readonly instanceId = bytesToHex(randomBytes(16))
  readonly isReachable = true
  private readonly secretKey: BlsSecretKey
  private readonly ownKey: BlsPublicKey
  private readonly domain: SigningDomain
  private readonly store: SigningRecordStore
  /** Ahead of the store while a save runs: a second request at the same position is judged by the first. */
  private record: SigningRecord
  private hasVoted = false
  private isStopSaved = true

  constructor(ports: { secretKey: BlsSecretKey; domain: SigningDomain; record: SigningRecordStore }) {
    this.secretKey = ports.secretKey
    this.domain = ports.domain
    this.store = ports.record
    this.publicKey = ports.secretKey.publicKey()
    const ownKey = parseBlsPublicKey(this.publicKey)
    invariant(ownKey, 'the public key of a secret key does not parse')
    this.ownKey = ownKey
    this.record = ports.record.load()
  }

  /**
   * A signer whose record lies in a file that belongs to this key and domain. `resumes`: the operator's word that the stop
   * of this name has been dealt with; another one stays. @throws KeyError SIGNING_RECORD_CORRUPT, SIGNING_RECORD_LOCKED
   */
  static async open(at: {
    secretKey: BlsSecretKey
    domain: SigningDomain
    recordPath: string
    resumes?: string | null
    /** Hears that there was no record: what the key signed before, if it did, is not known here. */
    onNewRecord?: () => void
  }): Promise<GuardedSigner> {
    const { secretKey, domain } = at
    const owner = { publicKey: bytesToHex(secretKey.publicKey()), ...domain }
    const record = await FileSigningRecord.open({ path: at.recordPath, owner })
    if (record.isNew) at.onNewRecord?.()
    const { stop } = record.load()
    if (stop && at.resumes === nameOfStop(stop)) await record.save(resume(record.load()))
    return new GuardedSigner({ secretKey, domain, record })
  }

  get stop(): SigningStop | null {
    return this.record.stop
  }

  async signProposal(content: ProposalContent): Promise<Uint8Array> {
    return this.sign(this.proposal(content))
  }

  async signVote(vote: VoteToSign): Promise<Uint8Array> {
    return this.sign(this.vote(vote))
  }

  async signAttestation(content: AttestationContent): Promise<Uint8Array> {
    return this.sign(this.attestation(content))
  }

  async signNodeBinding(peerId: Uint8Array): Promise<Uint8Array> {
    return this.secretKey.sign(nodeBindingDigest(this.domain, peerId))
  }

  async observe(observed: ObservedMessage): Promise<Observation> {
    if (this.record.stop) {
      await this.saveStop()
      return 'stopped'
    }
    const { message, digest } = this.digested(observed)
    const verdict = judge(this.record, message)
    if (verdict === 'known' || verdict === 'past') return 'expected'
    const { signature } = observed
    // Only a valid signature accuses: anybody could put this key's name on a message.
    if (signature !== 'certified' && !verifyBls({ digest, key: this.ownKey, signature })) return 'forged'
    this.record = stopBy(this.record, { seen: message, isFresh: observed.isFresh ?? this.hasVoted })
    this.isStopSaved = false
    await this.saveStop()
    return 'stopped'
  }

  /** A stop must outlive a restart: what a full disk did not take is saved with the next message that is seen. */
  private async saveStop(): Promise<void> {
    if (this.isStopSaved) return
    await this.store.save(this.record)
    this.isStopSaved = true
  }

  async raiseFloor(height: Height): Promise<void> {
    const raised = raiseFloor(this.record, height)
    if (raised === this.record) return
    this.record = raised
    await this.store.save(raised)
  }

  async close(): Promise<void> {
    await this.store.close()
  }

  /** Saves also when nothing changed: the save of an equal request before this one may have failed. */
  private async sign({ message, digest }: Digested<AskedMessage>): Promise<Uint8Array> {
    const admitted = admit(this.record, message)
    if (!admitted.ok) throw this.refusal(admitted.error, message)
    this.record = admitted.value
    this.hasVoted ||= message.kind !== 'attestation'
    // Signed while the disk writes, and kept back until it has written.
    const [, signature] = await Promise.all([this.store.save(this.record), this.signSoon(digest)])
    // A stop that came while the record was saved holds for this signature too.
    if (this.record.stop) throw this.refusal('SIGNING_STOPPED', message)
    return signature
  }

  /** After what is under way has begun its writing. */
  private async signSoon(digest: Uint8Array): Promise<Uint8Array> {
    await Promise.resolve()
    return this.secretKey.sign(digest)
  }

  private refusal(code: SignerRefusalCode, asked: SignedMessage): SignerRefusal {
    const { stop, floor, lock } = this.record
    return new SignerRefusal(code, refusals[code], { asked, signed: this.record[asked.kind], floor, lock, stop })
  }

  private digested(observed: ObservedMessage): Digested {
    switch (observed.kind) {
      case 'proposal':
        return this.proposal(observed.content)
      case 'vote':
        return this.vote(observed.content)
      case 'attestation':
        return this.attestation(observed.content)
    }
  }

  private proposal(content: ProposalContent): Digested<AskedMessage> {
    const digest = proposalDigest(this.domain, content)
    const { height, round } = content
    return { digest, message: { kind: 'proposal', height, round, digest: bytesToHex(digest) } }
  }

  private vote(content: VoteToSign): Digested<AskedMessage> {
    const digest = voteDigest(this.domain, content)
    const { height, round, step, blockHash, polkaRound = -1 } = content
    const message = { height, round, digest: bytesToHex(digest), blockHash }
    if (step === prevote) return { digest, message: { kind: 'prevote', ...message, polkaRound } }
    return { digest, message: { kind: 'precommit', ...message } }
  }

  private attestation(content: AttestationContent): Digested<AskedMessage> {
    const digest = attestationDigest(this.domain, content)
    const { batchIndex } = content
    return { digest, message: { kind: 'attestation', batchIndex, digest: bytesToHex(digest) } }
  }
}

const refusals: Readonly<Record<SignerRefusalCode, string>> = {
  DOUBLE_PROPOSAL: 'another proposal is signed at this position',
  DOUBLE_VOTE: 'another vote is signed at this position',
  DOUBLE_ATTESTATION: 'another attestation of this batch is signed',
  BELOW_RECORD: 'the message comes before the last signed position',
  LOCKED: 'another block is precommitted at this height, and no polka since frees from it',
  SIGNING_STOPPED: 'signing has stopped, since the network showed a message of this key that its record does not know',
}
