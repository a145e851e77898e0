import type { BlsPublicKeyBytes } from '../../base/crypto/bls.js'
import type { Flavored } from '../../base/primitives/flavor.js'
import type { Severity } from './peer-score.js'

/** libp2p peer id in its text form. */
export type PeerId = Flavored<string, 'PeerId'>

/** A connected peer after its handshake. */
export interface Peer {
  readonly id: PeerId
  /** Consensus key that vouched for the peer id (NodeBinding), if the peer presented one. */
  readonly consensusKey: BlsPublicKeyBytes | null
}

/** Streams of one-way messages; each keeps its own order. */
export type Channel = 'consensus' | 'transactions' | 'blocks' | 'batches' | 'evidence'
/** Questions with one answer. */
export type RequestKind = 'block-range' | 'status'

/** What a peer did wrong. */
export interface Misbehaviour {
  /** One of few constants: it labels a metric. */
  readonly reason: string
  readonly detail?: string
  /** `grave` when it is not said. */
  readonly severity?: Severity
}

/** Authenticated message transport between nodes. Everything received is untrusted bytes of bounded size. */
export interface PeerNetwork {
  readonly localPeer: PeerId
  peers(): readonly Peer[]
  /** Milliseconds that a message takes to the peer and back, as last measured; null before, and when it is gone. */
  roundTripMs(peer: PeerId): number | null
  /**
   * Whether peers are told of this node's consensus key, as they are until this says otherwise. When that changes all sessions
   * end and begin anew.
   */
  speakForKey(speaks: boolean): void
  /** Queues a message, whose bytes do not change from then on, to one peer; dropped (and counted) when it is gone or its queue is full. */
  send(peer: PeerId, channel: Channel, message: Uint8Array): void
  /** Calls the handler for each message of the channel, in order per peer. One handler a channel; the returned function ends it. */
  onMessage(channel: Channel, handler: (from: Peer, message: Uint8Array) => void): () => void
  /** The returned function ends it. */
  onConnect(handler: (peer: Peer) => void): () => void
  onDisconnect(handler: (peer: Peer) => void): void
  /** Asks one peer; @throws NetworkError (REQUEST_TIMEOUT, PEER_GONE, REQUEST_REFUSED) */
  request(peer: PeerId, kind: RequestKind, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array>
  /** Answers requests of a kind; a throw refuses the request without an answer. */
  onRequest(kind: RequestKind, handler: (from: Peer, body: Uint8Array) => Promise<Uint8Array>): void
  /**
   * Counts what the peer did: grave is refused at once for a while, heavy is disconnected and refused when it happens again
   * soon, light is refused when there is much of it. Logged with the reason.
   */
  drop(peer: PeerId, misbehaviour: Misbehaviour): void
  close(): Promise<void>
}
