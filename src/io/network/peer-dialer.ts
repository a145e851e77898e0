import { multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../time/clock.js'
import { hostOf, type Libp2pNode } from './libp2p-node.js'
import { NetworkError } from './network-error.js'
import type { PeerId } from './peer-network.js'

const firstDelayMs = 100
const lastDelayMs = 2_000
const dialTimeoutMs = 3_000
const steadyMs = 5_000

/** How old a session is at least before a new connection of its peer replaces it: older than any dial under way. */
export const duplicateWindowMs = dialTimeoutMs + 500

interface Target {
  readonly address: ReturnType<typeof multiaddr>
  delayMs: number
  cancel: () => void
  dialing: AbortController | null
}

/** Keeps dialing the known peers that have no session: soon at first, then up to every two seconds. */
export class PeerDialer {
  private readonly targets = new Map<PeerId, Target>()
  private stopped = false

  /** @throws NetworkError BAD_ADDRESS for what is no multiaddr that ends in a peer id */
  constructor(
    addresses: readonly string[],
    private readonly ports: { node: Libp2pNode; clock: Clock; isConnected: (peer: PeerId) => boolean },
  ) {
    for (const text of addresses) {
      const id = /\/p2p\/([1-9A-HJ-NP-Za-km-z]+)$/.exec(text)?.[1]
      if (!id) throw badAddress(text)
      if (id === ports.node.peerId.toString()) continue
      this.targets.set(id, { address: parse(text), delayMs: firstDelayMs, cancel: () => {}, dialing: null })
    }
  }

  start(): void {
    for (const [id, target] of this.targets) this.schedule(id, target, 0)
  }

  /** The peer has a session: no dialing until it ends. */
  connected(peer: PeerId): void {
    const target = this.targets.get(peer)
    if (!target) return
    target.cancel()
    target.dialing?.abort()
  }

  /** The peer's session ended after so long; one that ends at once is a refusal, and dialed again less and less often. */
  disconnected(peer: PeerId, livedMs: number): void {
    const target = this.targets.get(peer)
    if (!target) return
    if (livedMs >= steadyMs) target.delayMs = firstDelayMs
    this.schedule(peer, target, target.delayMs)
    target.delayMs = Math.min(target.delayMs * 2, lastDelayMs)
  }

  /** Whether the peer is one of the configured. */
  knows(peer: PeerId): boolean {
    return this.targets.has(peer)
  }

  /** Hosts of the configured addresses. */
  hosts(): string[] {
    return [...this.targets.values()].map(({ address }) => hostOf(address))
  }

  stop(): void {
    this.stopped = true
    for (const target of this.targets.values()) {
      target.cancel()
      target.dialing?.abort()
    }
  }

  private schedule(peer: PeerId, target: Target, delayMs: number): void {
    target.cancel()
    if (this.stopped) return
    target.cancel = this.ports.clock.schedule(delayMs, () => void this.dial(peer, target))
  }

  private async dial(peer: PeerId, target: Target): Promise<void> {
    if (this.ports.isConnected(peer)) return
    const dialing = new AbortController()
    target.dialing = dialing
    try {
      await this.ports.node.dial(target.address, {
        signal: AbortSignal.any([dialing.signal, AbortSignal.timeout(dialTimeoutMs)]),
      })
    } catch {
      // A peer that is down is an ordinary state; the next attempt is scheduled below.
    }
    target.dialing = null
    if (this.ports.isConnected(peer)) return
    this.schedule(peer, target, target.delayMs)
    target.delayMs = Math.min(target.delayMs * 2, lastDelayMs)
  }
}

function parse(text: string) {
  try {
    return multiaddr(text)
  } catch (error) {
    throw badAddress(text, error)
  }
}

function badAddress(text: string, cause?: unknown): NetworkError {
  return new NetworkError(
    'BAD_ADDRESS',
    `the peer address ${text} is no multiaddr like /ip4/…/tcp/…/p2p/…`,
    { text },
    { cause },
  )
}
