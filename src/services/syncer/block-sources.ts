import { DecodeError } from '../../base/encoding/decode-error.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { Height } from '../../base/primitives/quantities.js'
import type { EncodedCertifiedBlock } from '../../base/protocol/block.js'
import {
  blockRangeBytes,
  decodeBlockRange,
  encodeBlockRangeRequest,
  maxBlockRange,
} from '../../base/protocol/sync-message.js'
import type { PeerId, PeerNetwork } from '../../io/network/peer-network.js'
import type { Clock } from '../../io/time/clock.js'

/** What a peer that was never asked before has for its first answer: many that promise and are silent must not hold a node up. */
const strangerMs = 1_000
/** A peer that takes so long for an answer and brings fewer blocks a second than a chain may make is asked after all others. */
const slowAnswerMs = 500
const leastBlocksPerSec = 20
/** An answer of so many bytes may be cut short. */
const fullAnswerBytes = blockRangeBytes / 2
/** Peers whose answers are remembered; the oldest go. */
const maxRemembered = 1_024

/** What a peer answered; `isSlow`: another one may do better. */
export interface BlockRange {
  readonly blocks: readonly EncodedCertifiedBlock[]
  readonly isSlow: boolean
}

/** `delivers`: the last answer brought blocks in time; `fails`: nothing, or little and late. */
export type Standing = 'delivers' | 'unknown' | 'fails'

export interface BlockSourcesPorts {
  readonly network: Pick<PeerNetwork, 'request'>
  readonly clock: Clock
  /** Ends every wait. */
  readonly stopping: AbortSignal
  readonly onMalformed: (peer: PeerId, detail: string) => void
}

/** Asks peers for certified blocks, and remembers how they answered, also after they left: who comes back is what it was. */
export class BlockSources {
  private readonly standings = new Map<PeerId, Standing>()
  /** Whom an answer is awaited from, and what ends the wait. */
  private asked: { readonly peer: PeerId; readonly giveUp: () => void } | null = null
  private hasNews = false

  constructor(private readonly ports: BlockSourcesPorts) {}

  standing(peer: PeerId): Standing {
    return this.standings.get(peer) ?? 'unknown'
  }

  note(peer: PeerId, standing: Standing): void {
    this.standings.delete(peer)
    this.standings.set(peer, standing)
    if (this.standings.size <= maxRemembered) return
    for (const oldest of this.standings.keys()) {
      this.standings.delete(oldest)
      return
    }
  }

  /** A peer told something new. Nobody else is waited for when one that delivers did. */
  heardFrom(peer: PeerId): void {
    if (this.standing(peer) !== 'delivers') return
    this.hasNews = true
    if (this.asked && this.standing(this.asked.peer) !== 'delivers') this.asked.giveUp()
  }

  /** These peers in turn, without those that do not deliver once one that does has told something new. */
  *inTurn<Source extends readonly [PeerId, ...unknown[]]>(sources: Iterable<Source>): Iterable<Source> {
    this.hasNews = false
    for (const source of sources) if (!this.hasNews || this.standing(source[0]) === 'delivers') yield source
  }

  /**
   * Certified blocks from a height on, as many as the peer gives; none when it gives nothing good. Up to the head that it
   * proved it has them all: a short answer is a slow one, though it came at once.
   */
  async fetch(peer: PeerId, { from, upTo }: { from: Height; upTo: Height }): Promise<BlockRange> {
    const { network, clock, stopping, onMalformed } = this.ports
    const askedMs = clock.nowMs()
    const abort = new AbortController()
    const asked = { peer, giveUp: () => abort.abort() }
    this.asked = asked
    const cancel = this.standing(peer) === 'unknown' ? clock.schedule(strangerMs, asked.giveUp) : () => {}
    stopping.addEventListener('abort', asked.giveUp)
    try {
      const request = encodeBlockRangeRequest({ from, count: maxBlockRange })
      const answer = await network.request(peer, 'block-range', request, abort.signal)
      const blocks = decodeBlockRange(answer)
      const tookMs = clock.nowMs() - askedMs
      const isShort = blocks.length < Math.min(maxBlockRange, upTo + 1 - from) && answer.length < fullAnswerBytes
      const isLate = tookMs >= slowAnswerMs && blocks.length < (leastBlocksPerSec * tookMs) / 1_000
      return { blocks, isSlow: isShort || isLate }
    } catch (error) {
      if (error instanceof DecodeError) onMalformed(peer, error.message)
      else if (!(error instanceof MorphismError)) throw error
      return { blocks: [], isSlow: true }
    } finally {
      cancel()
      stopping.removeEventListener('abort', asked.giveUp)
      if (this.asked === asked) this.asked = null
    }
  }
}
