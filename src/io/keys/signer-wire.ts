import { DecodeError } from '../../base/encoding/decode-error.js'
import { encodeRlp, type RlpItem } from '../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import { precommit, prevote, type VoteContent } from '../../base/protocol/vote.js'
import type {
  AttestationContent,
  Observation,
  ObservedMessage,
  ProposalContent,
  VoteToSign,
} from './consensus-signer.js'
import type { RecordOwner } from './file-signing-record.js'
import { type SignerRefusalCode, signerRefusalCodes } from './signer-refusal.js'
import { decodeStop, encodeStop, type SigningStop } from './signing-record.js'

/** Most bytes of one frame between a node and its signer; the largest that either sends has about 300. */
export const maxFrameLength = 4_096
const lengthBytes = 4
/** Most characters of an error's text that travel. */
const maxText = 500

/** What a node asks of its signer: always the content, never a digest. */
export type SignerRequest =
  | { readonly kind: 'proposal'; readonly content: ProposalContent }
  | { readonly kind: 'vote'; readonly content: VoteToSign }
  | { readonly kind: 'attestation'; readonly content: AttestationContent }
  | { readonly kind: 'binding'; readonly peerId: Uint8Array }
  | { readonly kind: 'observe'; readonly message: ObservedMessage }
  | { readonly kind: 'floor'; readonly height: number }

/** The signer's answer; `failed` is its own trouble, such as a full disk. */
export type SignerAnswer =
  | { readonly kind: 'signature'; readonly signature: Uint8Array }
  | { readonly kind: 'observation'; readonly observation: Observation }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly code: SignerRefusalCode; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }

const requestKinds = ['proposal', 'vote', 'attestation', 'binding', 'observe', 'floor'] as const
const answerKinds = ['signature', 'observation', 'done', 'refused', 'failed'] as const
const observations: readonly Observation[] = ['expected', 'forged', 'stopped']

/** A frame: four bytes of length, big-endian, and the body. */
export function frame(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(lengthBytes + body.length)
  new DataView(out.buffer).setUint32(0, body.length)
  out.set(body, lengthBytes)
  return out
}

/** Cuts a stream of bytes into the bodies of frames. @throws DecodeError on a frame that is too long */
export class FrameReader {
  private rest: Uint8Array = new Uint8Array(0)

  push(chunk: Uint8Array): Uint8Array[] {
    this.rest = Buffer.concat([this.rest, chunk])
    const bodies: Uint8Array[] = []
    while (this.rest.length >= lengthBytes) {
      const length = new DataView(this.rest.buffer, this.rest.byteOffset).getUint32(0)
      if (length > maxFrameLength) throw new DecodeError(`signer link: a frame of ${length} bytes`)
      if (this.rest.length < lengthBytes + length) break
      bodies.push(new Uint8Array(this.rest.subarray(lengthBytes, lengthBytes + length)))
      this.rest = this.rest.subarray(lengthBytes + length)
    }
    return bodies
  }
}

export function encodeRequest(id: number, request: SignerRequest): Uint8Array {
  return encodeRlp([rlpUint(id), rlpUint(requestKinds.indexOf(request.kind)), requestFields(request)])
}

/** @throws DecodeError */
export function decodeRequest(bytes: Uint8Array): { id: number; request: SignerRequest } {
  const fields = RlpFields.decode(bytes, 'signer request')
  const id = fields.safeUint()
  const kind = requestKinds[Number(fields.uint(8))]
  const content = fields.fields('request')
  fields.end()
  const request = readRequest(content, kind)
  content.end()
  return { id, request }
}

function requestFields(request: SignerRequest): RlpItem {
  switch (request.kind) {
    case 'binding':
      return [request.peerId]
    case 'floor':
      return [rlpUint(request.height)]
    case 'observe': {
      const { message } = request
      const { signature } = message
      return [
        rlpUint(requestKinds.indexOf(message.kind)),
        contentFields(message),
        signature === 'certified' ? new Uint8Array(0) : signature,
        rlpUint(message.isFresh === undefined ? 0 : message.isFresh ? 2 : 1),
      ]
    }
    case 'vote':
      return [...contentFields(request), rlpUint((request.content.polkaRound ?? -1) + 1)]
    default:
      return contentFields(request)
  }
}

function contentFields(signed: Extract<SignerRequest, { content: unknown }> | ObservedMessage): RlpItem[] {
  if (signed.kind === 'attestation') return [rlpUint(signed.content.batchIndex), rlpHex(signed.content.batchHash)]
  const { height, round, blockHash } = signed.content
  const third = signed.kind === 'proposal' ? signed.content.validRound + 1 : signed.content.step
  return [rlpUint(height), rlpUint(round), rlpUint(third), rlpHex(blockHash)]
}

function readRequest(fields: RlpFields, kind: SignerRequest['kind'] | undefined): SignerRequest {
  switch (kind) {
    case 'proposal':
      return { kind, content: readProposal(fields) }
    case 'vote':
      return { kind, content: { ...readVote(fields), polkaRound: Number(fields.uint(32)) - 1 } }
    case 'attestation':
      return { kind, content: readAttestation(fields) }
    case 'binding':
      return { kind, peerId: fields.bytes({ min: 1, max: 128 }) }
    case 'floor':
      return { kind, height: fields.safeUint() }
    case 'observe':
      return { kind, message: readObserved(fields) }
    case undefined:
      throw new DecodeError('signer request: unknown kind')
  }
}

function readObserved(fields: RlpFields): ObservedMessage {
  const kind = requestKinds[Number(fields.uint(8))]
  const inner = fields.fields('observed message')
  const signature = fields.bytes({ max: 96 })
  if (signature.length !== 96 && !(signature.length === 0 && kind === 'vote'))
    throw new DecodeError('signer request: a signature has 96 bytes')
  const freshness = [{}, { isFresh: false }, { isFresh: true }][Number(fields.uint(8))]
  if (!freshness) throw new DecodeError('signer request: unknown freshness')
  const read = (): ObservedMessage => {
    if (kind === 'proposal') return { kind, content: readProposal(inner), signature, ...freshness }
    if (kind === 'vote')
      return { kind, content: readVote(inner), signature: signature.length ? signature : 'certified', ...freshness }
    if (kind === 'attestation') return { kind, content: readAttestation(inner), signature, ...freshness }
    throw new DecodeError('signer request: unknown kind of message')
  }
  const message = read()
  inner.end()
  return message
}

function readProposal(fields: RlpFields): ProposalContent {
  const [height, round] = [fields.safeUint(), Number(fields.uint(32))]
  return { height, round, validRound: Number(fields.uint(32)) - 1, blockHash: fields.hash() }
}

function readVote(fields: RlpFields): VoteContent {
  const [height, round, step] = [fields.safeUint(), Number(fields.uint(32)), Number(fields.uint(8))]
  if (step !== prevote && step !== precommit) throw new DecodeError(`signer request: step ${step} is unknown`)
  return { height, round, step, blockHash: fields.hash() }
}

function readAttestation(fields: RlpFields): AttestationContent {
  return { batchIndex: fields.safeUint(), batchHash: fields.hash() }
}

export function encodeAnswer({ id, stop, answer }: { id: number; stop: SigningStop | null; answer: SignerAnswer }) {
  return encodeRlp([rlpUint(id), encodeStop(stop), rlpUint(answerKinds.indexOf(answer.kind)), answerFields(answer)])
}

/** @throws DecodeError */
export function decodeAnswer(bytes: Uint8Array): { id: number; stop: SigningStop | null; answer: SignerAnswer } {
  const fields = RlpFields.decode(bytes, 'signer answer')
  const id = fields.safeUint()
  const stop = decodeStop(fields.fields('stop'))
  const kind = answerKinds[Number(fields.uint(8))]
  const content = fields.fields('answer')
  fields.end()
  const answer = readAnswer(content, kind)
  content.end()
  return { id, stop, answer }
}

function answerFields(answer: SignerAnswer): RlpItem[] {
  switch (answer.kind) {
    case 'signature':
      return [answer.signature]
    case 'observation':
      return [rlpUint(observations.indexOf(answer.observation))]
    case 'done':
      return []
    case 'refused':
      return [rlpUint(signerRefusalCodes.indexOf(answer.code)), textBytes(answer.message)]
    case 'failed':
      return [textBytes(answer.message)]
  }
}

function readAnswer(fields: RlpFields, kind: SignerAnswer['kind'] | undefined): SignerAnswer {
  const text = () => Buffer.from(fields.bytes({ max: 4 * maxText })).toString('utf8')
  switch (kind) {
    case 'signature':
      return { kind, signature: fields.bytes({ min: 96, max: 96 }) }
    case 'observation': {
      const observation = observations[Number(fields.uint(8))]
      if (!observation) throw new DecodeError('signer answer: unknown observation')
      return { kind, observation }
    }
    case 'done':
      return { kind }
    case 'refused': {
      const code = signerRefusalCodes[Number(fields.uint(8))]
      if (!code) throw new DecodeError('signer answer: unknown refusal')
      return { kind, code, message: text() }
    }
    case 'failed':
      return { kind, message: text() }
    case undefined:
      throw new DecodeError('signer answer: unknown kind')
  }
}

/** What the signer says of itself to a node that knows the token. */
export interface Welcome {
  readonly owner: RecordOwner
  readonly instanceId: Hex
  readonly stop: SigningStop | null
}

/** How a link begins: nonces and proofs of both ends, then whose key it is. */
export const greeting = {
  encodeNonce: (nonce: Uint8Array) => encodeRlp([nonce]),
  decodeNonce: (bytes: Uint8Array) => oneField(bytes, 'nonce'),
  encodeChallenge: (of: { nonce: Uint8Array; proof: Uint8Array }) => encodeRlp([of.nonce, of.proof]),
  decodeChallenge(bytes: Uint8Array): { nonce: Uint8Array; proof: Uint8Array } {
    const fields = RlpFields.decode(bytes, 'challenge')
    const challenge = { nonce: fields.bytes({ min: 32, max: 32 }), proof: fields.bytes({ min: 32, max: 32 }) }
    fields.end()
    return challenge
  },
  encodeProof: (proof: Uint8Array) => encodeRlp([proof]),
  decodeProof: (bytes: Uint8Array) => oneField(bytes, 'proof'),
  encodeWelcome: ({ owner, instanceId, stop }: Welcome) =>
    encodeRlp([
      hexToBytes(owner.publicKey),
      rlpUint(owner.l1ChainId),
      rlpHex(owner.rollup),
      hexToBytes(instanceId),
      encodeStop(stop),
    ]),
  decodeWelcome(bytes: Uint8Array): Welcome {
    const fields = RlpFields.decode(bytes, 'welcome')
    const owner = { publicKey: fields.hex(48), l1ChainId: fields.safeUint(), rollup: fields.address() }
    const instanceId = fields.hex(16)
    const stop = decodeStop(fields.fields('stop'))
    fields.end()
    return { owner, instanceId, stop }
  },
} as const

function oneField(bytes: Uint8Array, what: string): Uint8Array {
  const fields = RlpFields.decode(bytes, what)
  const field = fields.bytes({ min: 32, max: 32 })
  fields.end()
  return field
}

const textBytes = (text: string) => new Uint8Array(Buffer.from(text.slice(0, maxText), 'utf8'))
