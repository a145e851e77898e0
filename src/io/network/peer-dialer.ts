import { multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../time/clock.js'
import type { lookUpHost } from './host-lookup.js'
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
  /** Where the peer is: the host of its address, or what its name meant when it was last looked up. */
  hosts: readonly string[]
  isLookedUp: boolean
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
    private readonly ports: {
      readonly node: Pick<Libp2pNode, 'peerId' | 'dial'>
      readonly clock: Clock
      readonly isConnected: (peer: PeerId) => boolean
      readonly lookUp: typeof lookUpHost
      /** It was found where a peer with a name is. */
      readonly hostsChanged: () => void
    },
  ) {
    for (const text of addresses) {
      const id = /\/p2p\/([1-9A-HJ-NP-Za-km-z]+)$/.exec(text)?.[1]
      if (!id) throw badAddress(text)
      if (id === ports.node.peerId.toString()) continue
      const address = parse(text)
      const hosts = familyOf(address) === null ? [hostOf(address)] : []
      this.targets.set(id, {
        address,
        hosts,
        isLookedUp: false,
        delayMs: firstDelayMs,
        cancel: () => {},
        dialing: null,
      })
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

  /** Hosts of the configured addresses; of names what they meant when they were last looked up. */
  hosts(): string[] {
    return [...this.targets.values()].flatMap(({ hosts }) => hosts)
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
    void this.findHosts(target)
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

  /** A name is looked up at each dial, so that its host is known when its peer dials in turn. */
  private async findHosts(target: Target): Promise<void> {
    const family = familyOf(target.address)
    // One at a time: the resolver cannot be interrupted, and holds a thread that storage needs.
    if (family === null || target.isLookedUp) return
    target.isLookedUp = true
    try {
      target.hosts = await this.ports.lookUp(hostOf(target.address), family)
      this.ports.hostsChanged()
    } catch {
      // What was found last is better than nothing.
    }
    target.isLookedUp = false
  }
}

/** Which addresses a name stands for; null for what is no name. */
function familyOf(address: Target['address']): 0 | 4 | 6 | null {
  const protocol = address.toString().split('/')[1]
  if (protocol === 'dns') return 0
  if (protocol === 'dns4') return 4
  return protocol === 'dns6' ? 6 : null
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
