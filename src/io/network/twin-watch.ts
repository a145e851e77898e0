import type { Logger } from '../telemetry/logger.js'
import type { Clock } from '../time/clock.js'
import type { NetworkLimits } from './network-limits.js'
import type { PeerId } from './peer-network.js'
import type { AdmissionRefusal } from './session-admission.js'

/** How many peers must say it: one alone may lie. */
const witnesses = 2
/** After how long what a peer said no longer counts. */
const forgetMs = 30_000
/** How long nobody must have said it before it is told again. */
const calmMs = 5 * 60_000

/**
 * Tells the operator of a second process with this node's keys, which peers betray when they turn this one away. They must do so
 * for longer than a session is held whose peer is silent: that may be one of this node's own from before its start.
 */
export class TwinWatch {
  /** Since when each peer says that this node's peer id or key is in use, and when it last did. */
  private readonly saying = new Map<PeerId, { readonly sinceMs: number; readonly lastMs: number }>()
  private lastMs = Number.NEGATIVE_INFINITY
  private isTold = false

  constructor(
    private readonly limits: Pick<NetworkLimits, 'placeHoldMs'>,
    private readonly ports: { readonly clock: Clock; readonly logger: Logger },
  ) {}

  /** A peer has no session for this node, which has none with it. */
  turnedAway(peer: PeerId, reason: AdmissionRefusal): void {
    if (reason === 'NO_PLACE') return
    const nowMs = this.ports.clock.nowMs()
    if (nowMs - this.lastMs >= calmMs) this.isTold = false
    this.lastMs = nowMs
    for (const [other, { lastMs }] of this.saying) if (nowMs - lastMs >= forgetMs) this.saying.delete(other)
    this.saying.set(peer, { sinceMs: this.saying.get(peer)?.sinceMs ?? nowMs, lastMs: nowMs })
    const peers = [...this.saying].filter(([, said]) => said.lastMs - said.sinceMs >= this.limits.placeHoldMs)
    if (this.isTold || peers.length < witnesses) return
    this.isTold = true
    this.ports.logger.warn('another process may run with this node key or consensus key: peers have sessions with it', {
      reason,
      peers: peers.map(([id]) => id),
    })
  }
}
