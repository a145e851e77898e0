import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import { InvariantError, invariant } from '../../base/primitives/invariant.js'
import type { Clock } from '../time/clock.js'
import { NetworkError } from './network-error.js'
import { channelLimits, defaultNetworkLimits, maxAnswerBytes, maxRequestBytes } from './network-limits.js'
import type { Channel, Misbehaviour, Peer, PeerId, PeerNetwork, RequestKind } from './peer-network.js'

/** A message or a request under way, as the hub's functions judge it. */
export interface Passage {
  readonly from: PeerId
  readonly to: PeerId
  readonly channel: Channel | RequestKind
  readonly bytes: number
}

/** How the simulated wires behave; all deterministic when these functions and the clock are. */
export interface MemoryWires {
  readonly clock: Clock
  /** Time on the wire, 0 by default. Messages of one channel never overtake each other, unless told. */
  readonly delayMs?: (passage: Passage) => number
  /** Whether it is lost, as when a queue overflows. */
  readonly loses?: (passage: Passage, content: Uint8Array) => boolean
  /** Whether it arrives twice. */
  readonly duplicates?: (passage: Passage) => boolean
  /** Whether it may overtake those before it: worse than any real transport of this project. */
  readonly overtakes?: (passage: Passage) => boolean
  /** Hears of everything that arrives, just before its receiver does. */
  readonly onDelivery?: (passage: Passage, content: Uint8Array) => void
  readonly requestTimeoutMs?: number
  readonly banMs?: number
}

/** Two peers' connection; a new object for each, so that what was under way when one ended does not arrive by the next. */
interface Link {
  isUp: boolean
  /** Measured when it is asked for. */
  roundTripMs: number | null
  readonly queues: Map<string, ((to: MemoryNetwork) => void)[]>
}

/** The wires between in-memory networks: the twin of a real network for tests and simulation. */
export class MemoryHub {
  private readonly members = new Map<PeerId, MemoryNetwork>()
  private readonly links = new Map<string, Link>()
  private readonly cut = new Set<string>()
  private readonly bannedUntilMs = new Map<string, number>()
  constructor(readonly wires: MemoryWires) {}

  /** A node on these wires; it meets the others as soon as the clock moves. */
  join(peer: { id: PeerId; consensusKey?: BlsPublicKeyBytes | null }): MemoryNetwork {
    const member = this.prepare(peer)
    member.start()
    return member
  }

  /** As `join`, but it meets nobody before its `start`, so that its services can take their places first. */
  prepare({ id, consensusKey = null }: { id: PeerId; consensusKey?: BlsPublicKeyBytes | null }): MemoryNetwork {
    return new MemoryNetwork({ id, consensusKey }, this)
  }

  /** @internal */
  enter(member: MemoryNetwork): void {
    const { id } = member.self
    invariant(!this.members.has(id), 'a peer is on the wires once', { peer: id })
    this.members.set(id, member)
    for (const other of this.members.keys()) if (other !== id) this.reconnectLater(id, other, 0)
  }

  /** Cuts the wire between two peers, or mends it: partitions. */
  setWire(a: PeerId, b: PeerId, isWhole: boolean): void {
    const pair = pairOf(a, b)
    if (isWhole) {
      this.cut.delete(pair)
      this.reconnectLater(a, b, 0)
    } else {
      this.cut.add(pair)
      this.disconnect(a, b)
    }
  }

  /** @internal */
  leave(member: MemoryNetwork): void {
    const { id } = member.self
    if (this.members.get(id) !== member) return
    for (const other of this.members.keys()) this.disconnect(id, other)
    this.members.delete(id)
  }

  /** @internal The member meets the others anew. */
  reintroduce(member: MemoryNetwork): void {
    const { id } = member.self
    if (this.members.get(id) !== member) return
    for (const other of this.members.keys()) {
      if (other === id) continue
      this.disconnect(id, other)
      this.reconnectLater(id, other, 0)
    }
  }

  /** @internal */
  ban(a: PeerId, b: PeerId): void {
    const { clock, banMs = defaultNetworkLimits.banMs } = this.wires
    this.bannedUntilMs.set(pairOf(a, b), clock.nowMs() + banMs)
    this.disconnect(a, b)
    this.reconnectLater(a, b, banMs)
  }

  /** @internal Delivers after the wire's delay unless it is lost or the connection ends before. */
  carry(passage: Passage, content: Uint8Array, deliver: (to: MemoryNetwork, content: Uint8Array) => void): void {
    const link = this.links.get(pairOf(passage.from, passage.to))
    if (!link || this.wires.loses?.(passage, content)) return
    this.dispatch({ passage, link, content, deliver })
    if (this.wires.duplicates?.(passage)) this.dispatch({ passage, link, content, deliver })
  }

  private dispatch({
    passage,
    link,
    content,
    deliver,
  }: {
    passage: Passage
    link: Link
    content: Uint8Array
    deliver: (to: MemoryNetwork, content: Uint8Array) => void
  }): void {
    const { clock, delayMs, overtakes, onDelivery } = this.wires
    const arrive = (to: MemoryNetwork) => {
      onDelivery?.(passage, content)
      deliver(to, content)
    }
    const arrival = (next: () => ((to: MemoryNetwork) => void) | undefined) => () => {
      const to = this.members.get(passage.to)
      const oldest = next()
      if (link.isUp && to && oldest) oldest(to)
    }
    if (overtakes?.(passage)) {
      clock.schedule(
        delayMs?.(passage) ?? 0,
        arrival(() => arrive),
      )
      return
    }
    const key = `${passage.from} ${passage.channel}`
    const queue = link.queues.get(key) ?? []
    link.queues.set(key, queue)
    queue.push(arrive)
    // Each firing delivers the oldest, so that a message with a shorter delay waits for those before it.
    clock.schedule(
      delayMs?.(passage) ?? 0,
      arrival(() => queue.shift()),
    )
  }

  /** @internal */
  roundTripMs(a: PeerId, b: PeerId): number | null {
    const link = this.links.get(pairOf(a, b))
    if (!link) return null
    const oneWayMs = (from: PeerId, to: PeerId) => this.wires.delayMs?.({ from, to, channel: 'status', bytes: 0 }) ?? 0
    link.roundTripMs ??= oneWayMs(a, b) + oneWayMs(b, a)
    return link.roundTripMs
  }

  private reconnectLater(a: PeerId, b: PeerId, delayMs: number): void {
    this.wires.clock.schedule(delayMs, () => this.connect(a, b))
  }

  private connect(a: PeerId, b: PeerId): void {
    const pair = pairOf(a, b)
    const [first, second] = [this.members.get(a), this.members.get(b)]
    if (!first || !second || this.links.has(pair) || this.cut.has(pair)) return
    if ((this.bannedUntilMs.get(pair) ?? 0) > this.wires.clock.nowMs()) return
    this.links.set(pair, { isUp: true, roundTripMs: null, queues: new Map() })
    first.connected(second.self)
    second.connected(first.self)
  }

  private disconnect(a: PeerId, b: PeerId): void {
    const pair = pairOf(a, b)
    const link = this.links.get(pair)
    if (!link) return
    link.isUp = false
    this.links.delete(pair)
    this.members.get(a)?.disconnected(b)
    this.members.get(b)?.disconnected(a)
  }
}

const pairOf = (a: PeerId, b: PeerId) => (a < b ? `${a} ${b}` : `${b} ${a}`)

/** One node's PeerNetwork on a MemoryHub. */
export class MemoryNetwork implements PeerNetwork {
  private readonly connections = new Map<PeerId, { peer: Peer; gone: AbortController }>()
  private readonly messageHandlers = new Map<Channel, (from: Peer, message: Uint8Array) => void>()
  private readonly requestHandlers = new Map<RequestKind, (from: Peer, body: Uint8Array) => Promise<Uint8Array>>()
  private readonly connectHandlers = new Set<(peer: Peer) => void>()
  private readonly disconnectHandlers: ((peer: Peer) => void)[] = []
  private readonly answers = new Map<number, (answer: Uint8Array | null) => void>()
  private nextRequest = 0
  private closed = false
  /** What the others are told of this one. */
  self: Peer

  constructor(
    private readonly owner: Peer,
    private readonly hub: MemoryHub,
  ) {
    this.self = owner
  }

  get localPeer(): PeerId {
    return this.self.id
  }

  /** Begins to meet the others. */
  start(): void {
    if (!this.closed) this.hub.enter(this)
  }

  speakForKey(speaks: boolean): void {
    const consensusKey = speaks ? this.owner.consensusKey : null
    if (consensusKey === this.self.consensusKey) return
    this.self = { ...this.owner, consensusKey }
    this.hub.reintroduce(this)
  }

  peers(): readonly Peer[] {
    return [...this.connections.values()].map(({ peer }) => peer)
  }

  roundTripMs(peer: PeerId): number | null {
    return this.hub.roundTripMs(this.localPeer, peer)
  }

  send(peer: PeerId, channel: Channel, message: Uint8Array): void {
    if (message.length > channelLimits[channel].messageBytes)
      throw new InvariantError(`a message of ${message.length} bytes is too large for ${channel}`)
    if (!this.connections.has(peer)) return
    const from = this.self
    this.hub.carry({ from: from.id, to: peer, channel, bytes: message.length }, message, (to, content) =>
      to.receive(from, channel, content),
    )
  }

  onMessage(channel: Channel, handler: (from: Peer, message: Uint8Array) => void): () => void {
    this.messageHandlers.set(channel, handler)
    return () => {
      if (this.messageHandlers.get(channel) === handler) this.messageHandlers.delete(channel)
    }
  }

  onConnect(handler: (peer: Peer) => void): () => void {
    this.connectHandlers.add(handler)
    return () => this.connectHandlers.delete(handler)
  }

  onDisconnect(handler: (peer: Peer) => void): void {
    this.disconnectHandlers.push(handler)
  }

  async request(peer: PeerId, kind: RequestKind, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    if (body.length > maxRequestBytes) throw new InvariantError(`a request of ${body.length} bytes is too large`)
    const connection = this.connections.get(peer)
    const data = { peer, kind }
    if (!connection) throw new NetworkError('PEER_GONE', `the peer ${peer} is not connected`, data)
    const gone = connection.gone.signal
    const { clock, requestTimeoutMs = defaultNetworkLimits.requestTimeoutMs } = this.hub.wires
    const id = this.nextRequest++
    return new Promise<Uint8Array>((resolve, reject) => {
      const settle = (finish: () => void) => {
        cancel()
        this.answers.delete(id)
        gone.removeEventListener('abort', onGone)
        signal?.removeEventListener('abort', onAbort)
        finish()
      }
      const fail = (error: NetworkError) => settle(() => reject(error))
      const onGone = () => fail(new NetworkError('PEER_GONE', `the peer left before it answered ${kind}`, data))
      const onAbort = () => fail(new NetworkError('REQUEST_ABORTED', `the request ${kind} was given up`, data))
      const cancel = clock.schedule(requestTimeoutMs, () =>
        fail(new NetworkError('REQUEST_TIMEOUT', `no answer to ${kind} in ${requestTimeoutMs} ms`, data)),
      )
      this.answers.set(id, answer =>
        answer
          ? settle(() => resolve(answer))
          : fail(new NetworkError('REQUEST_REFUSED', `the peer refused to answer ${kind}`, data)),
      )
      gone.addEventListener('abort', onGone)
      signal?.addEventListener('abort', onAbort)
      if (signal?.aborted) return onAbort()
      const from = this.self
      this.hub.carry(
        { from: from.id, to: peer, channel: kind, bytes: body.length },
        body,
        (to, content) => void to.serve(from, { kind, id }, content),
      )
    })
  }

  onRequest(kind: RequestKind, handler: (from: Peer, body: Uint8Array) => Promise<Uint8Array>): void {
    this.requestHandlers.set(kind, handler)
  }

  drop(peer: PeerId, { severity }: Misbehaviour): void {
    if (severity !== 'light') this.hub.ban(this.localPeer, peer)
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.hub.leave(this)
  }

  /** @internal */
  connected(peer: Peer): void {
    this.connections.set(peer.id, { peer, gone: new AbortController() })
    for (const handler of this.connectHandlers) handler(peer)
  }

  /** @internal */
  disconnected(id: PeerId): void {
    const connection = this.connections.get(id)
    if (!connection) return
    this.connections.delete(id)
    connection.gone.abort()
    for (const handler of this.disconnectHandlers) handler(connection.peer)
  }

  private receive(from: Peer, channel: Channel, message: Uint8Array): void {
    try {
      this.messageHandlers.get(channel)?.(from, message)
    } catch (error) {
      if (error instanceof InvariantError) throw error
      this.drop(from.id, { reason: `BAD_MESSAGE on ${channel}` })
    }
  }

  private async serve(from: Peer, { kind, id }: { kind: RequestKind; id: number }, body: Uint8Array): Promise<void> {
    const answer = await this.answer(from, kind, body)
    const passage = { from: this.localPeer, to: from.id, channel: kind, bytes: answer?.length ?? 0 }
    this.hub.carry(passage, answer ?? new Uint8Array(0), (to, content) => to.answers.get(id)?.(answer && content))
  }

  private async answer(from: Peer, kind: RequestKind, body: Uint8Array): Promise<Uint8Array | null> {
    try {
      const answer = await this.requestHandlers.get(kind)?.(from, body)
      return answer && answer.length <= maxAnswerBytes ? answer : null
    } catch (error) {
      if (error instanceof InvariantError) throw error
      return null
    }
  }
}
