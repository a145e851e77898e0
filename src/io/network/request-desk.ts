import { InvariantError } from '../../base/primitives/invariant.js'
import type { Logger } from '../telemetry/logger.js'
import type { Stream } from './libp2p-node.js'
import type { NetworkLimits } from './network-limits.js'
import type { Peer, PeerId, RequestKind } from './peer-network.js'
import type { PeerSession } from './peer-session.js'
import { serve } from './request-streams.js'

/** Answers a request; a throw refuses it. */
export type RequestHandler = (from: Peer, body: Uint8Array) => Promise<Uint8Array>

/** Serves the requests of all peers: so many at once of one, of strangers and of all, so fast as the peer's kind may ask. */
export class RequestDesk {
  private readonly handlers = new Map<RequestKind, RequestHandler>()
  private serving = 0
  private servingStrangers = 0

  constructor(
    private readonly limits: Pick<
      NetworkLimits,
      'requestTimeoutMs' | 'servedPerPeer' | 'servedOfStrangers' | 'servedInAll'
    >,
    private readonly ports: {
      readonly logger: Logger
      readonly onTooFast: (peer: PeerId) => void
      readonly onBug: (error: InvariantError) => void
    },
  ) {}

  setHandler(kind: RequestKind, handler: RequestHandler): void {
    this.handlers.set(kind, handler)
  }

  /** Serves one request; resolves when it is answered, refused or given up. */
  async take({ kind, stream, session }: { kind: RequestKind; stream: Stream; session: PeerSession }): Promise<void> {
    const { limits, ports } = this
    const { peer } = session
    const isTooFast = !session.mayAsk()
    if (isTooFast) ports.onTooFast(peer.id)
    let leave = () => {}
    const answer = async (from: Peer, body: Uint8Array) => {
      const handler = this.handlers.get(kind)
      if (isTooFast || !handler || this.isBusyFor(session)) return null
      leave = this.enter(session)
      const content = await handler(from, body)
      await session.awaitAnswerTurn(content.length)
      return content
    }
    try {
      await serve({ stream, peer, timeoutMs: limits.requestTimeoutMs, answer })
    } catch (error) {
      if (error instanceof InvariantError) ports.onBug(error)
      ports.logger.debug('request not answered', { peer: peer.id, kind, error: (error as Error).message })
    } finally {
      leave()
    }
  }

  private isBusyFor({ kind, serving }: PeerSession): boolean {
    const { servedPerPeer, servedOfStrangers, servedInAll } = this.limits
    if (kind === 'stranger' && this.servingStrangers >= servedOfStrangers) return true
    return serving >= servedPerPeer || this.serving >= servedInAll
  }

  /** Takes a place, which a question that has not come yet does not have; gives the way out. */
  private enter(session: PeerSession): () => void {
    const strangers = session.kind === 'stranger' ? 1 : 0
    const add = (by: 1 | -1) => {
      session.serving += by
      this.serving += by
      this.servingStrangers += by * strangers
    }
    add(1)
    return () => add(-1)
  }
}
