import { PeerBuckets } from '../../io/network/peer-buckets.js'
import type { PeerId } from '../../io/network/peer-network.js'
import { TokenBucket } from '../../io/network/token-bucket.js'
import { type Clock, pause } from '../../io/time/clock.js'

/** Blocks a second that one peer is served in the long run, and so many at once. */
const perSecOfPeer = 500
/** Blocks a second that all these peers are served: each block costs 0.1 ms of the main thread. */
const perSecOfAll = 4_000

/** Paces what peers are served that are no members: a peer's own rate first, so that who asks without end waits for itself. */
export class ServedBlocks {
  private readonly ofAll: TokenBucket
  private readonly ofPeer = new PeerBuckets({ perSec: perSecOfPeer })

  constructor(private readonly clock: Clock) {
    this.ofAll = new TokenBucket(perSecOfAll, clock.nowMs())
  }

  /** Resolves once what the peer, and then all together, were served before is paid off; at once when `signal` is aborted. */
  async untilDue(peer: PeerId, signal: AbortSignal): Promise<void> {
    for (const bucket of [this.ofPeer.of(peer, this.clock.nowMs()), this.ofAll]) {
      const owedMs = bucket.take(0, this.clock.nowMs())
      if (owedMs > 0) await pause(this.clock, owedMs, signal)
    }
  }

  served(peer: PeerId, blocks: number): void {
    const nowMs = this.clock.nowMs()
    this.ofPeer.of(peer, nowMs).take(blocks, nowMs)
    this.ofAll.take(blocks, nowMs)
  }
}
