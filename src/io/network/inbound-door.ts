import type { Clock } from '../time/clock.js'
import type { NetworkLimits } from './network-limits.js'
import { defaultScorePolicy, PeerScores, type Severity } from './peer-score.js'
import { isLoopback, siteOf } from './remote-host.js'
import { TokenBucket } from './token-bucket.js'

/** Why an inbound connection is turned away before it costs an encryption handshake. */
export type DoorRefusal =
  | 'HOST_BANNED'
  | 'HOST_TOO_FAST'
  | 'HOST_FULL'
  | 'HANDSHAKES_TOO_FAST'
  | 'NO_MULTISTREAM'
  | 'TOO_SLOW'
  | 'CROWDED_OUT'
  | 'CLOSED'

/** An inbound connection before its encryption. */
export interface Visitor {
  readonly host: string
  refuse(reason: DoorRefusal): void
}

interface HostState {
  open: number
  /** Whether the rates are those of a known host. */
  readonly isKnown: boolean
  readonly knocks: TokenBucket
  readonly handshakes: TokenBucket
  lastHandshakeMs: number
}

/** Seconds of a rate that may come at once: all peers come back together when a node starts. */
const burstSeconds = 10
/** A host without an encryption handshake for so long is a newcomer. */
const newcomerMs = 60_000
/** Hosts whose rates are remembered. */
const maxHosts = 4_096

/**
 * Decides about inbound connections by their address while nothing else is known of them. Loopback and the hosts of known
 * peers are never banned and have rates of their own, so that garbage from elsewhere, or from a neighbour behind the same
 * address, keeps no known peer out. Newcomers have a rate besides that of strangers, so that a few hosts which come again
 * and again do not keep out a known peer whose address has changed.
 */
export class InboundDoor {
  private readonly hosts = new Map<string, HostState>()
  private readonly waiting = new Map<Visitor, () => void>()
  private readonly shaking = new Set<Visitor>()
  private readonly scores: PeerScores
  private readonly strangers: TokenBucket
  private readonly newcomers: TokenBucket
  private closed = false

  constructor(
    private readonly limits: NetworkLimits,
    private readonly ports: {
      readonly clock: Clock
      readonly isKnownHost: (host: string) => boolean
      readonly onRefused: (reason: DoorRefusal) => void
    },
  ) {
    this.scores = new PeerScores({ ...defaultScorePolicy, banMs: limits.banMs })
    this.strangers = this.bucket(limits.handshakesOfStrangersPerSec)
    this.newcomers = this.bucket(limits.handshakesOfNewcomersPerSec)
  }

  /** Whether a connection from this host is looked at. */
  knock(host: string): boolean {
    if (this.closed) return this.refused('CLOSED')
    const nowMs = this.ports.clock.nowMs()
    const isKnown = this.isKnown(host)
    if (!isKnown && this.scores.isBanned(host, nowMs)) return this.refused('HOST_BANNED')
    const state = this.stateOf(host)
    if (!state.knocks.tryTake(nowMs)) {
      this.offence(host, 'light')
      return this.refused('HOST_TOO_FAST')
    }
    if (!isKnown && state.open >= this.limits.inboundConnectionsPerHost) return this.refused('HOST_FULL')
    return true
  }

  /** Counts a connection of the host until `leave`. */
  enter(visitor: Visitor): void {
    this.stateOf(visitor.host).open++
    const cancel = this.ports.clock.schedule(this.limits.handshakeTimeoutMs, () => this.turnAway(visitor, 'TOO_SLOW'))
    this.waiting.set(visitor, cancel)
    // Who speaks at once is never the oldest for long, so that silence crowds out silence.
    if (this.waiting.size > this.limits.silentConnections) this.turnAway(first(this.waiting.keys())!, 'CROWDED_OUT')
  }

  /** The visitor asked for encryption; whether it gets it now. `shaken` or `leave` ends its handshake. */
  shake(visitor: Visitor): boolean {
    if (!this.stopWaiting(visitor)) return false
    const nowMs = this.ports.clock.nowMs()
    const isKnown = this.isKnown(visitor.host)
    const state = this.stateOf(isKnown ? visitor.host : siteOf(visitor.host))
    const isNewcomer = nowMs - state.lastHandshakeMs >= newcomerMs
    const mayShake =
      state.handshakes.tryTake(nowMs) &&
      (isKnown || this.strangers.tryTake(nowMs) || (isNewcomer && this.newcomers.tryTake(nowMs)))
    if (!mayShake) {
      visitor.refuse('HANDSHAKES_TOO_FAST')
      return this.refused('HANDSHAKES_TOO_FAST')
    }
    state.lastHandshakeMs = nowMs
    this.shaking.add(visitor)
    if (this.shaking.size > this.limits.pendingHandshakes) {
      const oldest = first(this.shaking)!
      this.shaking.delete(oldest)
      this.refused('CROWDED_OUT')
      oldest.refuse('CROWDED_OUT')
    }
    return true
  }

  /** The visitor's encryption is over without an offence: it proved who it is, or its time passed. */
  shaken(visitor: Visitor): void {
    this.shaking.delete(visitor)
  }

  /** Nothing but garbage came of the visitor, or too little too late. */
  turnAway(visitor: Visitor, reason: 'NO_MULTISTREAM' | 'TOO_SLOW' | 'CROWDED_OUT'): void {
    if (!this.stopWaiting(visitor)) return
    this.offence(visitor.host, reason === 'NO_MULTISTREAM' ? 'heavy' : 'light')
    this.refused(reason)
    visitor.refuse(reason)
  }

  /** The visitor's encryption failed: it was no Noise. */
  failed(visitor: Visitor): void {
    if (this.shaking.delete(visitor)) this.offence(visitor.host, 'heavy')
  }

  leave(visitor: Visitor): void {
    this.stopWaiting(visitor)
    this.shaking.delete(visitor)
    const state = this.hosts.get(visitor.host)
    if (state && state.open > 0) state.open--
  }

  /** Lets nobody in any more. */
  close(): void {
    this.closed = true
    for (const visitor of [...this.waiting.keys()]) {
      this.stopWaiting(visitor)
      visitor.refuse('CLOSED')
    }
  }

  /** Connections that are not encrypted yet. */
  get pending(): { readonly silent: number; readonly shaking: number } {
    return { silent: this.waiting.size, shaking: this.shaking.size }
  }

  private stopWaiting(visitor: Visitor): boolean {
    this.waiting.get(visitor)?.()
    return this.waiting.delete(visitor)
  }

  private offence(host: string, severity: Severity): void {
    if (!this.isKnown(host)) this.scores.record(host, severity, this.ports.clock.nowMs())
  }

  private refused(reason: DoorRefusal): false {
    this.ports.onRefused(reason)
    return false
  }

  private isKnown(host: string): boolean {
    return isLoopback(host) || this.ports.isKnownHost(host)
  }

  private bucket(perSec: number): TokenBucket {
    return new TokenBucket(perSec, this.ports.clock.nowMs(), perSec * burstSeconds)
  }

  private stateOf(host: string): HostState {
    const isKnown = this.isKnown(host)
    const old = this.hosts.get(host)
    if (old?.isKnown === isKnown) return old
    const { limits } = this
    const [knocks, handshakes] = isKnown
      ? [limits.knocksOfKnownPerSec, limits.handshakesOfKnownPerSec]
      : [limits.knocksPerHostPerSec, limits.handshakesPerHostPerSec]
    const state: HostState = {
      open: old?.open ?? 0,
      isKnown,
      knocks: this.bucket(knocks),
      handshakes: this.bucket(handshakes),
      lastHandshakeMs: old?.lastHandshakeMs ?? Number.NEGATIVE_INFINITY,
    }
    this.hosts.set(host, state)
    if (this.hosts.size > maxHosts) {
      for (const [other, { open }] of this.hosts)
        if (open === 0 && other !== host) {
          this.hosts.delete(other)
          break
        }
    }
    return state
  }
}

function first<Value>(values: Iterable<Value>): Value | undefined {
  for (const value of values) return value
  return undefined
}
