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

/** Limits of one node that its configuration may change. */
export interface NetworkLimits {
  readonly requestTimeoutMs: number
  /** How long a dropped peer is refused. */
  readonly banMs: number
  readonly handshakeTimeoutMs: number
  readonly inboundConnections: number
  /** Per address of a host; not counted on loopback, where a devnet lives. */
  readonly inboundConnectionsPerHost: number
  /** Requests of one peer, and of all, that are served at once. */
  readonly servedPerPeer: number
  readonly servedInAll: number
}

export const defaultNetworkLimits: NetworkLimits = {
  requestTimeoutMs: 5_000,
  banMs: 30_000,
  handshakeTimeoutMs: 5_000,
  inboundConnections: 200,
  inboundConnectionsPerHost: 16,
  servedPerPeer: 8,
  servedInAll: 64,
}
