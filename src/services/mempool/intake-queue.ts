import type { Peer } from '../../io/network/peer-network.js'
import type { SubmissionResult } from './submission-result.js'

/** Where transactions come from: this node's own RPC, its journal at the start, or a peer. */
export type TransactionSource = 'local' | 'journal' | Peer

/** A transaction on its way to the pool. */
export interface Submission {
  readonly raw: Uint8Array
  readonly source: TransactionSource
  /** Whether it goes on to the sequencers once it is in the pool. */
  readonly forward: boolean
  /** Hears the outcome, once the transaction is durable if it was accepted. */
  readonly settle: ((result: SubmissionResult) => void) | null
}

interface Lane {
  items: Submission[]
  first: number
  /** Bytes waiting and under way. */
  bytes: number
  waiting: number
}

const localTurn = 128
const peerTurn = 32

/**
 * Waiting submissions by source: a batch takes from each in turn, this node's own first, so that no peer's flood holds up
 * another's transactions. Each source may have a bounded number of unprocessed bytes.
 */
export class IntakeQueue {
  private readonly lanes = new Map<string, Lane>()
  waiting = 0

  constructor(private readonly limits: { readonly maxLocalBytes: number; readonly maxPeerBytes: number }) {}

  /** False when the source has too many unprocessed bytes already. */
  push(submission: Submission): boolean {
    const { source, raw } = submission
    const key = laneOf(source)
    let lane = this.lanes.get(key)
    if (lane === undefined) {
      lane = { items: [], first: 0, bytes: 0, waiting: 0 }
      this.lanes.set(key, lane)
    }
    const limit = typeof source === 'string' ? this.limits.maxLocalBytes : this.limits.maxPeerBytes
    if (lane.bytes + raw.length > limit) return false
    lane.items.push(submission)
    lane.bytes += raw.length
    lane.waiting++
    this.waiting++
    return true
  }

  /** Up to `max` submissions, in order within each source. */
  take(max: number): Submission[] {
    const batch: Submission[] = []
    const local = this.lanes.get(ownLane)
    if (local) this.takeFrom(local, { batch, count: Math.min(localTurn, max) })
    while (batch.length < max && this.waiting > 0)
      for (const [key, lane] of this.lanes) {
        if (lane.waiting === 0) continue
        this.takeFrom(lane, { batch, count: Math.min(peerTurn, max - batch.length) })
        // Whoever was served goes to the end of the round.
        this.lanes.delete(key)
        this.lanes.set(key, lane)
        if (batch.length >= max) break
      }
    return batch
  }

  /** Gives back the room of processed submissions. */
  release(batch: readonly Submission[]): void {
    for (const { source, raw } of batch) {
      const key = laneOf(source)
      const lane = this.lanes.get(key)
      if (lane === undefined) continue
      lane.bytes -= raw.length
      if (lane.bytes === 0 && lane.waiting === 0) this.lanes.delete(key)
    }
  }

  /** Forgets what waits from a peer. */
  discard(peer: Peer): Submission[] {
    const lane = this.lanes.get(peer.id)
    if (lane === undefined) return []
    const dropped = lane.items.slice(lane.first)
    this.waiting -= lane.waiting
    lane.items = []
    lane.first = 0
    lane.waiting = 0
    this.release(dropped)
    return dropped
  }

  private takeFrom(lane: Lane, { batch, count }: { batch: Submission[]; count: number }): void {
    const taken = Math.min(count, lane.waiting)
    for (let i = 0; i < taken; i++) batch.push(lane.items[lane.first++]!)
    lane.waiting -= taken
    this.waiting -= taken
    if (lane.waiting === 0) {
      lane.items = []
      lane.first = 0
    } else if (lane.first > 1024) {
      lane.items = lane.items.slice(lane.first)
      lane.first = 0
    }
  }
}

const ownLane = ''
const laneOf = (source: TransactionSource): string => (typeof source === 'string' ? ownLane : source.id)
