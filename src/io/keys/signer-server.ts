import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { listenOnUnixSocket } from '../ipc/unix-socket.js'
import type { Logger } from '../telemetry/logger.js'
import type { Clock } from '../time/clock.js'
import type { ConsensusSigner } from './consensus-signer.js'
import { RemoteSignerError } from './remote-signer-error.js'
import { type SignerAddress, showSignerAddress } from './signer-address.js'
import { SignerRefusal } from './signer-refusal.js'
import { isProof, tokenProof } from './signer-token.js'
import {
  decodeRequest,
  encodeAnswer,
  FrameReader,
  frame,
  greeting,
  type SignerAnswer,
  type SignerRequest,
} from './signer-wire.js'
import { stopFields } from './signing-record.js'

/** How long a connection may take to prove that it knows the token. */
const greetingMs = 2_000
const maxConnections = 8
/** Requests of one connection that are worked on at a time; a node has a handful. */
const maxOpenRequests = 256

export interface SignerServerPorts {
  readonly signer: ConsensusSigner
  readonly domain: SigningDomain
  readonly token: string
  readonly clock: Clock
  readonly logger: Logger
}

/** Signs for nodes that prove to know the token: the reference of the remote signer (spec/signing.md). */
export class SignerServer {
  /** Oldest first. */
  private readonly links = new Map<Socket, Link>()

  private constructor(
    private readonly server: Server,
    readonly address: SignerAddress,
    private readonly ports: SignerServerPorts,
  ) {}

  /** Listens; port 0 takes a free one, told by `address`. @throws RemoteSignerError SIGNER_ADDRESS when the address is taken */
  static async start({ address, ports }: { address: SignerAddress; ports: SignerServerPorts }): Promise<SignerServer> {
    const server = createServer({ noDelay: true })
    await listen(server, address)
    const bound = server.address()
    const actual =
      address.kind === 'tcp' && typeof bound === 'object' && bound ? { ...address, port: bound.port } : address
    const signer = new SignerServer(server, actual, ports)
    server.on('connection', socket => signer.accept(socket))
    return signer
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    for (const socket of this.links.keys()) socket.destroy()
    await closed
  }

  private accept(socket: Socket): void {
    if (this.links.size >= maxConnections && !this.makeRoom()) return void socket.destroy()
    this.links.set(socket, new Link(socket, this.ports))
    socket.on('close', () => this.links.delete(socket))
  }

  /** Gives up the oldest connection that has not proved itself, so that silent ones keep no node out. */
  private makeRoom(): boolean {
    for (const [socket, link] of this.links)
      if (!link.isProved) {
        socket.destroy()
        return this.links.delete(socket)
      }
    this.ports.logger.warn('a connection is turned away: nodes have all places', { places: maxConnections })
    return false
  }
}

/** One connection: the greeting, then requests and answers. */
class Link {
  private readonly frames = new FrameReader()
  private readonly nonce = new Uint8Array(randomBytes(32))
  private readonly cancelGreeting: () => void
  private expected: 'nonce' | { readonly proof: Uint8Array } | 'requests' = 'nonce'
  private open = 0

  constructor(
    private readonly socket: Socket,
    private readonly ports: SignerServerPorts,
  ) {
    this.cancelGreeting = ports.clock.schedule(greetingMs, () =>
      this.refuse('a connection did not prove itself in time', `${greetingMs} ms`),
    )
    socket.on('close', () => this.cancelGreeting())
    socket.on('error', () => socket.destroy())
    socket.on('data', chunk => this.receive(chunk))
  }

  /** Whether it has proved that it knows the token. */
  get isProved(): boolean {
    return this.expected === 'requests'
  }

  private receive(chunk: Uint8Array): void {
    try {
      for (const body of this.frames.push(chunk)) this.take(body)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.refuse('a connection sent what is no message of the protocol', error.message)
    }
  }

  private take(body: Uint8Array): void {
    if (this.socket.destroyed) return
    if (this.expected === 'requests') return this.serve(body)
    const { token, signer, domain } = this.ports
    if (this.expected === 'nonce') {
      const nonces = [greeting.decodeNonce(body), this.nonce]
      this.expected = { proof: tokenProof(token, { end: 'node', nonces }) }
      return this.send(
        greeting.encodeChallenge({ nonce: this.nonce, proof: tokenProof(token, { end: 'signer', nonces }) }),
      )
    }
    if (!isProof(greeting.decodeProof(body), this.expected.proof))
      return this.refuse('a connection does not know the token', 'wrong proof')
    this.cancelGreeting()
    this.expected = 'requests'
    const owner = { publicKey: bytesToHex(signer.publicKey), ...domain }
    this.send(greeting.encodeWelcome({ owner, instanceId: signer.instanceId, stop: signer.stop }))
    this.ports.logger.info('a node is connected')
  }

  private serve(body: Uint8Array): void {
    const { id, request } = decodeRequest(body)
    if (this.open >= maxOpenRequests) return this.refuse('a node asks for too much at once', `${this.open} requests`)
    this.open++
    // Requests are admitted in the order of their coming; the record decides in that order.
    void this.answer(request).then(answer => {
      this.open--
      this.send(encodeAnswer({ id, stop: this.ports.signer.stop, answer }))
    })
  }

  private async answer(request: SignerRequest): Promise<SignerAnswer> {
    const { signer, logger } = this.ports
    const wasStopped = signer.stop !== null
    const reportStop = () => {
      const { stop } = signer
      if (!wasStopped && stop) logger.error('signing has stopped', stopFields(stop))
    }
    try {
      return await perform(signer, request)
    } catch (error) {
      const { message } = error as Error
      if (error instanceof SignerRefusal) {
        if (error.code !== 'SIGNING_STOPPED') logger.warn('refused to sign', { request: request.kind, error })
        return { kind: 'refused', code: error.code, message }
      }
      logger.error('the signer failed', { request: request.kind, error })
      return { kind: 'failed', message }
    } finally {
      reportStop()
    }
  }

  private send(body: Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(frame(body))
  }

  private refuse(message: string, detail: string): void {
    this.ports.logger.warn(message, { detail })
    this.socket.destroy()
  }
}

async function perform(signer: ConsensusSigner, request: SignerRequest): Promise<SignerAnswer> {
  switch (request.kind) {
    case 'proposal':
      return { kind: 'signature', signature: await signer.signProposal(request.content) }
    case 'vote':
      return { kind: 'signature', signature: await signer.signVote(request.content) }
    case 'attestation':
      return { kind: 'signature', signature: await signer.signAttestation(request.content) }
    case 'binding':
      return { kind: 'signature', signature: await signer.signNodeBinding(request.peerId) }
    case 'observe':
      return { kind: 'observation', observation: await signer.observe(request.message) }
    case 'floor':
      await signer.raiseFloor(request.height)
      return { kind: 'done' }
  }
}

/** @throws RemoteSignerError SIGNER_ADDRESS */
async function listen(server: Server, address: SignerAddress): Promise<void> {
  try {
    if (address.kind === 'unix') return await listenOnUnixSocket(server, address.path)
    server.listen({ host: address.host, port: address.port })
    await once(server, 'listening')
  } catch (cause) {
    const message = `the signer cannot listen on ${showSignerAddress(address)}: ${(cause as Error).message}`
    throw new RemoteSignerError('SIGNER_ADDRESS', message, {}, { cause })
  }
}
