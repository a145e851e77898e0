import { DecodeError } from '../../base/encoding/decode-error.js'
import type { Peer, PeerNetwork } from '../../io/network/peer-network.js'
import type { Counter, Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import type { PooledTransaction } from './pooled-transaction.js'
import {
  decodeTransactionBatch,
  encodeTransactionBatch,
  maxBatchBytes,
  splitIntoBatches,
  type TransactionBatch,
} from './transaction-batch.js'

export type GossipNetwork = Pick<PeerNetwork, 'peers' | 'send' | 'onMessage' | 'onConnect' | 'drop'>

export interface GossipConfig {
  /** Least time between two messages to the same peers: transactions that come meanwhile travel together. */
  readonly gossipIntervalMs: number
  /** Local transactions not included after so long are sent again. */
  readonly resendIntervalMs: number
  /** Most bytes sent to a peer that connects, or sent again at once. */
  readonly maxSyncBytes: number
}

export interface GossipPorts {
  readonly network: GossipNetwork
  readonly clock: Clock
  readonly metrics: Metrics
  readonly isSequencer: boolean
  readonly isSequencerPeer: (peer: Peer) => boolean
  readonly sequencerCount: (() => number) | undefined
  /** What the pool would give a peer that knows nothing: local ones first. */
  readonly pending: () => Iterable<PooledTransaction>
  /** Local ones that could be in the next block. */
  readonly locals: () => Iterable<PooledTransaction>
  readonly receive: (from: Peer, batch: TransactionBatch) => void
}

/**
 * Shares transactions in batches. Every node sends to all sequencers it is connected to. A full node that is not connected
 * to all of them asks one, in turn, to relay; a sequencer relays nothing else and nothing that came from a sequencer.
 */
export class TransactionGossip {
  private outbox: Uint8Array[] = []
  private outboxBytes = 0
  private lastFlushMs = Number.NEGATIVE_INFINITY
  private cancelFlush: (() => void) | null = null
  private cancelResend: (() => void) | null = null
  private turn = 0
  private isClosed = false
  private readonly sent: Counter
  private readonly received: Counter

  constructor(
    private readonly config: GossipConfig,
    private readonly ports: GossipPorts,
  ) {
    const { metrics, network } = ports
    this.sent = metrics.counter('morphism_mempool_sent_bytes', 'Bytes of transaction batches sent')
    this.received = metrics.counter('morphism_mempool_received_bytes', 'Bytes of transaction batches received')
    network.onMessage('transactions', (from, message) => this.onMessage(from, message))
    network.onConnect(peer => this.onConnect(peer))
    this.scheduleResend()
  }

  /** Sends soon; at once when nothing was sent for an interval. */
  share(raw: Uint8Array): void {
    if (this.isClosed) return
    this.outbox.push(raw)
    this.outboxBytes += raw.length
    if (this.outboxBytes >= maxBatchBytes) this.flush()
  }

  /** Ends a run of `share` calls. */
  settle(): void {
    if (this.outbox.length === 0 || this.cancelFlush !== null || this.isClosed) return
    const waitMs = this.lastFlushMs + this.config.gossipIntervalMs - this.ports.clock.nowMs()
    if (waitMs <= 0) this.flush()
    else this.cancelFlush = this.ports.clock.schedule(waitMs, () => this.flush())
  }

  close(): void {
    if (this.outbox.length > 0) this.flush()
    this.isClosed = true
    this.cancelResend?.()
  }

  private flush(): void {
    this.cancelFlush?.()
    this.cancelFlush = null
    this.lastFlushMs = this.ports.clock.nowMs()
    const { outbox } = this
    this.outbox = []
    this.outboxBytes = 0
    this.broadcast(outbox)
  }

  private broadcast(transactions: readonly Uint8Array[]): void {
    const { network, isSequencer, isSequencerPeer, sequencerCount } = this.ports
    const peers = network.peers().filter(isSequencerPeer)
    if (peers.length === 0) return
    const reachesAll = isSequencer || (sequencerCount !== undefined && peers.length >= sequencerCount())
    const relayIndex = reachesAll ? -1 : this.turn++ % peers.length
    for (const batch of splitIntoBatches(transactions)) {
      const message = encodeTransactionBatch({ relay: false, transactions: batch })
      for (let i = 0; i < peers.length; i++)
        this.send(peers[i]!, i === relayIndex ? encodeTransactionBatch({ relay: true, transactions: batch }) : message)
    }
  }

  private send(peer: Peer, message: Uint8Array): void {
    this.sent.inc(message.length)
    this.ports.network.send(peer.id, 'transactions', message)
  }

  private onMessage(from: Peer, message: Uint8Array): void {
    if (this.isClosed) return
    this.received.inc(message.length)
    let batch: TransactionBatch
    try {
      batch = decodeTransactionBatch(message)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      const reason = 'malformed-transaction-batch'
      this.ports.network.drop(from.id, { reason, severity: 'heavy', detail: error.message })
      return
    }
    this.ports.receive(from, batch)
  }

  /** A sequencer that starts again knows nothing: what was accepted must reach it. */
  private onConnect(peer: Peer): void {
    if (this.isClosed || !this.ports.isSequencerPeer(peer)) return
    const transactions = this.takeBytes(this.ports.pending(), () => true)
    for (const batch of splitIntoBatches(transactions))
      this.send(peer, encodeTransactionBatch({ relay: false, transactions: batch }))
  }

  /** Those that were sent longest ago come first: whatever there is not room for now is before the others next time. */
  private resend(): void {
    const nowMs = this.ports.clock.nowMs()
    const isDue = (transaction: PooledTransaction) => nowMs - transaction.sentMs >= this.config.resendIntervalMs
    const due = [...this.ports.locals()].filter(isDue).sort((a, b) => a.sentMs - b.sentMs)
    const transactions = this.takeBytes(due, transaction => {
      transaction.sentMs = nowMs
      return true
    })
    if (transactions.length > 0) this.broadcast(transactions)
  }

  private takeBytes(
    from: Iterable<PooledTransaction>,
    isWanted: (transaction: PooledTransaction) => boolean,
  ): Uint8Array[] {
    const transactions: Uint8Array[] = []
    let room = this.config.maxSyncBytes
    for (const transaction of from) {
      if (room < transaction.raw.length) break
      if (!isWanted(transaction)) continue
      room -= transaction.raw.length
      transactions.push(transaction.raw)
    }
    return transactions
  }

  private scheduleResend(): void {
    this.cancelResend = this.ports.clock.schedule(this.config.resendIntervalMs, () => {
      this.resend()
      this.scheduleResend()
    })
  }
}
