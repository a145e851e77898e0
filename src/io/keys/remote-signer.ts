import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { type BlsPublicKey, type BlsPublicKeyBytes, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesToHex, type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import type { Height } from '../../base/primitives/quantities.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import { nodeBindingDigest } from '../../base/protocol/node-binding.js'
import { proposalDigest } from '../../base/protocol/proposal.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { voteDigest } from '../../base/protocol/vote.js'
import type { Logger } from '../telemetry/logger.js'
import type { Clock } from '../time/clock.js'
import type {
  AttestationContent,
  ConsensusSigner,
  Observation,
  ObservedMessage,
  ProposalContent,
  VoteToSign,
} from './consensus-signer.js'
import { RemoteSignerError, type RemoteSignerErrorCode } from './remote-signer-error.js'
import type { SignatureVerifier } from './signature-verifier.js'
import { type SignerAddress, showSignerAddress } from './signer-address.js'
import { SignerRefusal } from './signer-refusal.js'
import { isProof, tokenProof } from './signer-token.js'
import {
  decodeAnswer,
  encodeRequest,
  FrameReader,
  frame,
  greeting,
  type SignerAnswer,
  type SignerRequest,
  type Welcome,
} from './signer-wire.js'
import type { SigningStop } from './signing-record.js'

/** How long the signer may take to answer before the link counts as broken. */
const answerMs = 5_000
/** Pauses before the link is tried again. */
const firstRetryMs = 50
const maxRetryMs = 1_000
/** Votes and proposals that wait for a signer that is away: the newest, since older ones are of rounds that have gone by. */
const maxWaiting = 32

export interface RemoteSignerConfig {
  readonly address: SignerAddress
  readonly token: string
  readonly domain: SigningDomain
}

/** What a signature is asked for. */
type SignatureRequest = Exclude<SignerRequest, { kind: 'observe' | 'floor' }>

export interface RemoteSignerPorts {
  readonly verifier: Pick<SignatureVerifier, 'verify'>
  readonly clock: Clock
  readonly logger: Logger
}

interface Waiting {
  readonly id: number
  readonly request: SignerRequest
  readonly resolve: (answer: SignerAnswer) => void
  readonly reject: (error: RemoteSignerError) => void
  /** Ends the wait of what cannot wait for the signer's return. */
  readonly cancel: () => void
}

/**
 * ConsensusSigner whose key lives in another process (SignerServer). Requests go out in order; while the signer is away
 * votes and proposals wait for it, are asked for again when it is back, and get the same signature if it had signed; of one
 * that was started anew the caller has to ask again. Each signature is verified before it is given away:
 * what this node signs counts as true without another look.
 */
export class RemoteSigner implements ConsensusSigner {
  private readonly waiting = new Map<number, Waiting>()
  /** The link being opened or open. */
  private attempt: SignerLink | null = null
  /** The link while the signer answers. */
  private link: SignerLink | null = null
  private key: BlsPublicKey | null = null
  private lastInstance: Hex | null = null
  private lastStop: SigningStop | null = null
  private nextId = 1
  private retryMs = firstRetryMs
  private cancelRetry: () => void = () => {}
  private closed = false
  /** Why it is away, as it was said last; null while it answers, and until it is missed. */
  private awayFor: RemoteSignerErrorCode | null = null
  /** Its last signature was a false one. */
  private isFaulty = false
  private readonly onFirst: { resolve: () => void; reject: (error: RemoteSignerError) => void }[] = []

  private constructor(
    private readonly config: RemoteSignerConfig,
    private readonly ports: RemoteSignerPorts,
  ) {}

  /**
   * Connects, and waits for the signer for up to `patienceMs`.
   * @throws RemoteSignerError SIGNER_UNAVAILABLE, SIGNER_UNAUTHENTICATED, SIGNER_MISMATCH (another network)
   */
  static async connect(args: {
    config: RemoteSignerConfig
    ports: RemoteSignerPorts
    patienceMs?: number
  }): Promise<RemoteSigner> {
    const { config, ports, patienceMs = 10_000 } = args
    const signer = new RemoteSigner(config, ports)
    const first = new Promise<void>((resolve, reject) => signer.onFirst.push({ resolve, reject }))
    const giveUp = ports.clock.schedule(patienceMs, () =>
      signer.tellFirst(signer.error('SIGNER_UNAVAILABLE', 'does not answer')),
    )
    signer.open()
    try {
      await first
    } catch (error) {
      await signer.close()
      throw error
    } finally {
      giveUp()
    }
    return signer
  }

  get publicKey(): BlsPublicKeyBytes {
    return this.knownKey().bytes
  }

  get instanceId(): Hex {
    if (!this.lastInstance) throw this.error('SIGNER_UNAVAILABLE', 'has not answered yet')
    return this.lastInstance
  }

  get stop(): SigningStop | null {
    return this.lastStop
  }

  /** Whether the signer answers now. */
  get isReachable(): boolean {
    return this.link !== null
  }

  signProposal(content: ProposalContent): Promise<Uint8Array> {
    return this.signature({ kind: 'proposal', content })
  }

  signVote(content: VoteToSign): Promise<Uint8Array> {
    return this.signature({ kind: 'vote', content })
  }

  signAttestation(content: AttestationContent): Promise<Uint8Array> {
    return this.signature({ kind: 'attestation', content })
  }

  signNodeBinding(peerId: Uint8Array): Promise<Uint8Array> {
    return this.signature({ kind: 'binding', peerId })
  }

  async observe(message: ObservedMessage): Promise<Observation> {
    const answer = await this.ask({ kind: 'observe', message })
    if (answer.kind === 'observation') return answer.observation
    throw this.unexpected(answer)
  }

  async raiseFloor(height: Height): Promise<void> {
    const answer = await this.ask({ kind: 'floor', height })
    if (answer.kind !== 'done') throw this.unexpected(answer)
  }

  async close(): Promise<void> {
    this.closed = true
    this.cancelRetry()
    this.attempt?.destroy()
    for (const waiting of [...this.waiting.values()]) this.fail(waiting, 'is not asked any more: the node stops')
  }

  private knownKey(): BlsPublicKey {
    if (!this.key) throw this.error('SIGNER_UNAVAILABLE', 'has not answered yet')
    return this.key
  }

  /** @throws SignerRefusal; RemoteSignerError SIGNER_FAILED when the signature does not verify: it may be asked for again */
  private async signature(request: SignatureRequest): Promise<Uint8Array> {
    const answer = await this.ask(request)
    const { link } = this
    if (answer.kind === 'signature') {
      const { signature } = answer
      if (await this.isValid(request, signature)) return signature
      throw this.faulty(request, link)
    }
    if (answer.kind === 'refused') throw new SignerRefusal(answer.code, answer.message, { request: request.kind })
    throw this.unexpected(answer)
  }

  private async isValid(request: SignatureRequest, signature: Uint8Array): Promise<boolean> {
    const digest = digestOf(request, this.config.domain)
    const [isValid] = await this.ports.verifier.verify({ digest, signed: [{ keys: [this.knownKey()], signature }] })
    if (isValid) this.isFaulty = false
    return isValid === true
  }

  /** Parts with a signer that gave a false signature; said once until it gives a true one. */
  private faulty({ kind }: SignatureRequest, link: SignerLink | null): RemoteSignerError {
    const error = this.error('SIGNER_FAILED', `gave a signature of a ${kind} that is not one of its key`)
    if (!this.isFaulty) this.ports.logger.error('the signer gives false signatures: nothing is signed', { kind, error })
    this.isFaulty = true
    link?.destroy(error)
    return error
  }

  private unexpected(answer: SignerAnswer): RemoteSignerError {
    return this.error('SIGNER_FAILED', answer.kind === 'failed' ? `failed: ${answer.message}` : 'gave another answer')
  }

  private ask(request: SignerRequest): Promise<SignerAnswer> {
    if (this.closed) return Promise.reject(this.error('SIGNER_UNAVAILABLE', 'is not asked any more: the node stops'))
    const isPatient = request.kind === 'vote' || request.kind === 'proposal' || request.kind === 'floor'
    return new Promise((resolve, reject) => {
      const id = this.nextId++
      const limit = () => {
        const late = this.waiting.get(id)
        if (late) this.fail(late, 'does not answer')
      }
      const cancel = isPatient ? () => {} : this.ports.clock.schedule(answerMs, limit)
      const waiting: Waiting = { id, request, resolve, reject, cancel }
      this.waiting.set(id, waiting)
      const oldest = this.waiting.values().next().value
      if (this.waiting.size > maxWaiting && oldest) this.fail(oldest, 'is away for too long')
      this.link?.send(encodeRequest(id, request), this.waiting.size === 1)
    })
  }

  private fail(waiting: Waiting, problem: string): void {
    this.waiting.delete(waiting.id)
    waiting.cancel()
    waiting.reject(this.error('SIGNER_UNAVAILABLE', problem))
  }

  private open(): void {
    if (this.closed) return
    const link = new SignerLink(this.config, this.ports.clock, {
      onOpen: welcome => this.opened(link, welcome),
      onAnswer: body => this.take(body),
      onClosed: error => this.lost(error),
    })
    this.attempt = link
  }

  private opened(link: SignerLink, { owner, instanceId, stop }: Welcome): void {
    const { domain } = this.config
    const isSameNetwork = owner.l1ChainId === domain.l1ChainId && owner.rollup === domain.rollup.toLowerCase()
    const isSameKey = !this.key || bytesToHex(this.key.bytes) === owner.publicKey
    if (!isSameNetwork || !isSameKey) {
      const of = `key ${owner.publicKey} on L1 chain ${owner.l1ChainId}, rollup ${owner.rollup}`
      return link.destroy(this.error('SIGNER_MISMATCH', `signs for another key or network: ${of}`))
    }
    this.key ??= parseBlsPublicKey(hexToBytes(owner.publicKey))
    if (!this.key) return link.destroy(this.error('SIGNER_PROTOCOL', `names no public key: ${owner.publicKey}`))
    if (this.lastInstance !== null && this.lastInstance !== instanceId) this.giveUpSigning()
    this.lastInstance = instanceId
    this.lastStop = stop
    this.link = link
    this.retryMs = firstRetryMs
    if (this.awayFor) this.ports.logger.info('the signer answers again')
    this.awayFor = null
    for (const { id, request } of this.waiting.values()) link.send(encodeRequest(id, request), true)
    this.tellFirst(null)
  }

  /** A signer that was started anew is asked for nothing that the one before was asked: its record may not know what that one signed. */
  private giveUpSigning(): void {
    for (const waiting of [...this.waiting.values()])
      if (waiting.request.kind !== 'floor') this.fail(waiting, 'was started anew')
  }

  private take(body: Uint8Array): void {
    const { id, stop, answer } = decodeAnswer(body)
    this.lastStop = stop
    const waiting = this.waiting.get(id)
    if (waiting) {
      this.waiting.delete(id)
      waiting.cancel()
      waiting.resolve(answer)
    }
    this.link?.expectMore(this.waiting.size > 0)
  }

  private lost(error: RemoteSignerError | null): void {
    this.link = null
    if (this.closed) return
    if (error && this.onFirst.length > 0 && error.code !== 'SIGNER_UNAVAILABLE') return this.tellFirst(error)
    if (this.onFirst.length === 0 && error?.code !== 'SIGNER_FAILED') this.reportAway(error)
    this.cancelRetry = this.ports.clock.schedule(this.retryMs, () => this.open())
    this.retryMs = Math.min(maxRetryMs, this.retryMs * 2)
  }

  /** Says that the signer is away, and again when there is another reason: one that was gone may come back with another token. */
  private reportAway(error: RemoteSignerError | null): void {
    const code = error?.code ?? 'SIGNER_UNAVAILABLE'
    if (code === this.awayFor) return
    this.awayFor = code
    const address = showSignerAddress(this.config.address)
    this.ports.logger.error('the signer is away: the node follows, and signs again when it is back', {
      address,
      error: error ?? undefined,
    })
  }

  private tellFirst(error: RemoteSignerError | null): void {
    for (const { resolve, reject } of this.onFirst.splice(0)) error ? reject(error) : resolve()
  }

  private error(code: RemoteSignerErrorCode, problem: string): RemoteSignerError {
    return new RemoteSignerError(code, `the signer at ${showSignerAddress(this.config.address)} ${problem}`)
  }
}

function digestOf(request: SignatureRequest, domain: SigningDomain): Uint8Array {
  switch (request.kind) {
    case 'proposal':
      return proposalDigest(domain, request.content)
    case 'vote':
      return voteDigest(domain, request.content)
    case 'attestation':
      return attestationDigest(domain, request.content)
    case 'binding':
      return nodeBindingDigest(domain, request.peerId)
  }
}

interface LinkEvents {
  onOpen(welcome: Welcome): void
  /** @throws DecodeError */
  onAnswer(body: Uint8Array): void
  onClosed(error: RemoteSignerError | null): void
}

/** One connection to the signer, from its greeting to its end. */
class SignerLink {
  private readonly socket: Socket
  private readonly frames = new FrameReader()
  private readonly nonce = new Uint8Array(randomBytes(32))
  private expected: 'challenge' | 'welcome' | 'answers' = 'challenge'
  private error: RemoteSignerError | null = null
  private cancelDeadline: () => void = () => {}

  constructor(
    private readonly config: RemoteSignerConfig,
    private readonly clock: Clock,
    private readonly events: LinkEvents,
  ) {
    const { address } = config
    this.socket =
      address.kind === 'unix'
        ? connect({ path: address.path })
        : connect({ host: address.host, port: address.port, noDelay: true })
    this.expectMore(true)
    this.socket.on('connect', () => this.write(greeting.encodeNonce(this.nonce)))
    this.socket.on('data', chunk => this.receive(chunk))
    this.socket.on('error', cause =>
      this.destroy(this.failure('SIGNER_UNAVAILABLE', `cannot be reached: ${cause.message}`)),
    )
    this.socket.on('close', () => {
      this.cancelDeadline()
      events.onClosed(this.error ?? this.unfinished())
    })
  }

  /** Sends a request; `isFirst` when no answer was due until now. */
  send(request: Uint8Array, isFirst: boolean): void {
    if (isFirst) this.expectMore(true)
    this.write(request)
  }

  /** Whether the signer owes an answer: then it has a while for the next. */
  expectMore(owes: boolean): void {
    this.cancelDeadline()
    if (!owes) return
    this.cancelDeadline = this.clock.schedule(answerMs, () =>
      this.destroy(this.failure('SIGNER_UNAVAILABLE', 'does not answer')),
    )
  }

  destroy(error: RemoteSignerError | null = null): void {
    this.error ??= error
    this.socket.destroy()
  }

  private receive(chunk: Uint8Array): void {
    try {
      for (const body of this.frames.push(chunk)) if (!this.socket.destroyed) this.take(body)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.destroy(this.failure('SIGNER_PROTOCOL', `does not speak the protocol: ${error.message}`))
    }
  }

  private take(body: Uint8Array): void {
    if (this.expected === 'answers') return this.events.onAnswer(body)
    if (this.expected === 'challenge') {
      const { token } = this.config
      const { nonce, proof } = greeting.decodeChallenge(body)
      const nonces = [this.nonce, nonce]
      if (!isProof(proof, tokenProof(token, { end: 'signer', nonces })))
        return this.destroy(
          this.failure('SIGNER_UNAUTHENTICATED', 'does not know the token, or speaks another version of the link'),
        )
      this.expected = 'welcome'
      return this.write(greeting.encodeProof(tokenProof(token, { end: 'node', nonces })))
    }
    const welcome = greeting.decodeWelcome(body)
    this.expected = 'answers'
    this.expectMore(false)
    this.events.onOpen(welcome)
  }

  /** A signer that hangs up in the greeting did not believe the token. */
  private unfinished(): RemoteSignerError | null {
    return this.expected === 'welcome'
      ? this.failure('SIGNER_UNAUTHENTICATED', 'refuses the token, or speaks another version of the link')
      : null
  }

  private write(body: Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(frame(body))
  }

  private failure(code: RemoteSignerErrorCode, problem: string): RemoteSignerError {
    return new RemoteSignerError(code, `the signer at ${showSignerAddress(this.config.address)} ${problem}`)
  }
}
