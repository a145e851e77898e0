import type { PeerId } from './peer-network.js'
import { TokenBucket } from './token-bucket.js'

/** Most peers whose bucket is remembered. */
const maxPeers = 1_024

/** A token bucket for each peer; one that comes back has what it had left. */
export class PeerBuckets {
  private readonly buckets = new Map<PeerId, TokenBucket>()

  constructor(private readonly rate: { readonly perSec: number; readonly burst?: number }) {}

  of(peer: PeerId, nowMs: number): TokenBucket {
    const { perSec, burst } = this.rate
    const bucket = this.buckets.get(peer) ?? new TokenBucket(perSec, nowMs, burst)
    // The least recent is forgotten first: it has most likely nothing to pay off.
    this.buckets.delete(peer)
    this.buckets.set(peer, bucket)
    if (this.buckets.size > maxPeers) this.buckets.delete(this.buckets.keys().next().value!)
    return bucket
  }
}
