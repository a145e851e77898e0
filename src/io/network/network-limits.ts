import type { Channel, RequestKind } from './peer-network.js'

const mib = 1 << 20

/** All channels. */
export const channels: readonly Channel[] = ['consensus', 'transactions', 'blocks', 'batches', 'evidence']
/** All kinds of requests. */
export const requestKinds: readonly RequestKind[] = ['block-range', 'status']

/** What one channel may carry between two peers. */
export interface ChannelLimits {
  /** Most bytes of one message. */
  readonly messageBytes: number
  /** Waiting for a peer that reads slower than this node writes. */
  readonly queueBytes: number
  readonly queueMessages: number
  /** When the queue is full: lose the oldest messages, or the peer (whose reconnection starts clean). */
  readonly overflow: 'drop-oldest' | 'disconnect'
  /** Read from one peer; above it the peer is read slower. */
  readonly bytesPerSec: number
  readonly messagesPerSec: number
}

/** Limits by channel. Consensus and blocks carry whole blocks. */
export const channelLimits: Readonly<Record<Channel, ChannelLimits>> = {
  consensus: {
    messageBytes: 9 * mib,
    queueBytes: 36 * mib,
    queueMessages: 10_000,
    overflow: 'disconnect',
    bytesPerSec: 128 * mib,
    messagesPerSec: 20_000,
  },
  transactions: {
    messageBytes: 2 * mib,
    queueBytes: 16 * mib,
    queueMessages: 10_000,
    overflow: 'drop-oldest',
    bytesPerSec: 32 * mib,
    messagesPerSec: 5_000,
  },
  blocks: {
    messageBytes: 9 * mib,
    queueBytes: 36 * mib,
    queueMessages: 1_000,
    overflow: 'drop-oldest',
    bytesPerSec: 128 * mib,
    messagesPerSec: 5_000,
  },
  batches: {
    messageBytes: mib,
    queueBytes: 8 * mib,
    queueMessages: 1_000,
    overflow: 'drop-oldest',
    bytesPerSec: 16 * mib,
    messagesPerSec: 5_000,
  },
  evidence: {
    messageBytes: 64 << 10,
    queueBytes: 4 * mib,
    queueMessages: 100,
    overflow: 'drop-oldest',
    bytesPerSec: mib,
    messagesPerSec: 50,
  },
}

/** Most bytes of a request's body. */
export const maxRequestBytes = 64 << 10
/** Most bytes of an answer. */
export const maxAnswerBytes = 9 * mib

/** Who a peer is to this node: of the sequencer set, named in its configuration, or neither. */
export type PeerKind = 'sequencer' | 'configured' | 'stranger'

/** What a peer of a kind may ask of a node. */
export interface PeerAllowance {
  /** Share of each channel's rates, in percent. */
  readonly channelPercent: number
  readonly requestsPerSec: number
  /** Bytes of answers; above it the next answer waits. */
  readonly answerBytesPerSec: number
  /** Most bytes on the way on one of its channels: what a paused one holds in memory. */
  readonly windowBytes: number
}

/** Allowances by kind; every one lets a whole proposal through at once, since what is above the rate waits. */
export const peerAllowances: Readonly<Record<PeerKind, PeerAllowance>> = {
  sequencer: { channelPercent: 100, requestsPerSec: 400, answerBytesPerSec: 128 * mib, windowBytes: 2 * mib },
  configured: { channelPercent: 50, requestsPerSec: 200, answerBytesPerSec: 64 * mib, windowBytes: 2 * mib },
  stranger: { channelPercent: 12, requestsPerSec: 100, answerBytesPerSec: 16 * mib, windowBytes: 256 << 10 },
}

/** A channel's limits for a peer of this kind. */
export function limitsOf(channel: Channel, kind: PeerKind): ChannelLimits {
  const limits = channelLimits[channel]
  const share = peerAllowances[kind].channelPercent / 100
  return { ...limits, bytesPerSec: limits.bytesPerSec * share, messagesPerSec: limits.messagesPerSec * share }
}

/** How much of what came on a channel at once is handed on before the node does other work. */
export const turnLimits = {
  /** Of one peer that is known, and of all strangers together. */
  ms: 4,
  /** Handlers may put work off to the end of the turn, which the clock does not see. */
  messages: 128,
  /** Cut into frames at a time. */
  cutBytes: 8 << 10,
} as const

/** Limits of the multiplexer, per connection. */
export const muxLimits = {
  /** No honest frame is longer than the largest window of a stream. */
  frameBytes: 2 * mib,
  /** Pings, window updates, opened and closed streams, empty frames. */
  controlFramesPerSec: 5_000,
  /** Streams opened: above what a sequencer may ask. */
  opensPerSec: 600,
  /** The handshake, the channels, a ping, and room to grow. */
  streamsBeforeSession: 2 * channels.length + 4,
  bytesBeforeSession: 2 * mib,
  /** Streams that a peer may hold open. */
  inboundStreams: 48,
  /** Waiting to be sent on one connection, above which it is given up. */
  unsentBytes: 16 * mib,
} as const

/** Limits of one node that its configuration may change. */
export interface NetworkLimits {
  readonly requestTimeoutMs: number
  /** How long a peer is refused at its first ban. */
  readonly banMs: number
  readonly handshakeTimeoutMs: number
  /** Sessions with strangers that dialed; sequencers and configured peers have places of their own. */
  readonly inboundStrangers: number
  /** Per address of a host; not counted on loopback, where a devnet lives, nor for hosts of known peers. */
  readonly inboundConnectionsPerHost: number
  /** Connections that have not yet asked for encryption; the oldest goes when there are more. */
  readonly silentConnections: number
  /** Connections that have not yet shaken hands; the oldest goes when there are more. */
  readonly pendingHandshakes: number
  /** Connections a second that are looked at, from one host; and from loopback or the host of a known peer. */
  readonly knocksPerHostPerSec: number
  readonly knocksOfKnownPerSec: number
  /**
   * Encryption handshakes a second, at about 2 ms of CPU each, of one host, of all strange hosts, besides of those that had
   * none lately, and of each known host.
   */
  readonly handshakesPerHostPerSec: number
  readonly handshakesOfStrangersPerSec: number
  readonly handshakesOfNewcomersPerSec: number
  readonly handshakesOfKnownPerSec: number
  /** For how long after its peer was last heard a session keeps its peer id and consensus key: more than the pause between two pings. */
  readonly placeHoldMs: number
  /** Bytes of memory that all strangers together may hold by what they sent and is not handed on: unfinished frames above all. */
  readonly unfinishedBytesOfStrangers: number
  /** Requests of one peer, of all strangers, and of all peers, that are served at once. */
  readonly servedPerPeer: number
  readonly servedOfStrangers: number
  readonly servedInAll: number
}

export const defaultNetworkLimits: NetworkLimits = {
  requestTimeoutMs: 5_000,
  banMs: 30_000,
  handshakeTimeoutMs: 5_000,
  inboundStrangers: 128,
  inboundConnectionsPerHost: 16,
  silentConnections: 1_024,
  pendingHandshakes: 128,
  knocksPerHostPerSec: 20,
  knocksOfKnownPerSec: 50,
  handshakesPerHostPerSec: 2,
  handshakesOfStrangersPerSec: 10,
  handshakesOfNewcomersPerSec: 5,
  handshakesOfKnownPerSec: 10,
  placeHoldMs: 15_000,
  unfinishedBytesOfStrangers: 128 * mib,
  servedPerPeer: 8,
  servedOfStrangers: 32,
  servedInAll: 64,
}
