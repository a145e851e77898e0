import type { Height, MemberIndex } from '../../../base/primitives/quantities.js'
import { type ConsensusMessage, encodeConsensusMessage } from '../../../base/protocol/consensus-message.js'
import type { SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { Vote, VoteContent } from '../../../base/protocol/vote.js'
import type { PeerNetwork } from '../../../io/network/peer-network.js'
import type { Logger } from '../../../io/telemetry/logger.js'
import type { Verified } from '../../../rules/consensus/verified.js'
import {
  type AggregationConfig,
  aggregatedRound,
  aggregatorOf,
  type NearMember,
  nearMembers,
} from './near-aggregator.js'

/** Fewest near members, this node among them, whose votes are worth a hop more. */
const leastNear = 3
/** After how long a vote that no aggregate brought goes to everybody. */
const patienceMs = 100
/** For how many heights votes go straight after one came too late, or the first height stood still. */
const fewHeights = 4

/**
 * The way that this node's votes take to the others: in a large set by an aggregator near it, which spares everybody most
 * of the messages and signature checks; else straight to each. An aggregator is trusted with nothing but time: a vote that
 * it does not pass on soon goes to everybody, and for a while none goes by it.
 */
export class OwnVoteRoute {
  private height: Height = 0
  private set: SequencerSet = { setId: 0, members: [], totalPower: 0n }
  private self: MemberIndex | null = null
  private near: readonly NearMember[] | null = null
  /** Own votes that were given to an aggregator and did not come back yet, by `height/round/step`. */
  private readonly underWay = new Map<string, Vote>()
  /** Heights up to which an aggregator is not used. */
  private readonly mistrusted = new Map<MemberIndex, Height>()
  private straightUpTo: Height = 0
  /** The last heights without aggregation because one stood still. */
  private lastPause = { heights: fewHeights, upTo: Number.NEGATIVE_INFINITY }
  /** The last height of which a vote went by an aggregator. */
  private usedAt: Height = 0

  constructor(
    private readonly config: AggregationConfig,
    private readonly ports: {
      readonly network: Pick<PeerNetwork, 'peers' | 'roundTripMs' | 'send'>
      /** Members that are up, this node among them. */
      readonly up: () => ReadonlySet<MemberIndex>
      /** Runs the task later, whatever height it is then. */
      readonly later: (delayMs: number, task: () => void) => void
      readonly broadcast: (message: ConsensusMessage) => void
      readonly logger: Pick<Logger, 'info'>
      /** This node is the aggregator. */
      readonly gather: (vote: Verified<Vote>) => void
    },
  ) {}

  startHeight({ height, set, self }: { height: Height; set: SequencerSet; self: MemberIndex | null }): void {
    if (set.setId !== this.set.setId) this.mistrusted.clear()
    this.height = height
    this.set = set
    this.self = self
    this.near = null
  }

  /** Members whose votes may be expected at an aggregator like this one. */
  expected(): number {
    return this.nearby().length
  }

  send(vote: Verified<Vote>): void {
    const aggregator = vote.round === aggregatedRound ? this.aggregator() : null
    if (!aggregator) return this.ports.broadcast({ kind: 'votes', votes: [vote] })
    this.usedAt = vote.height
    if (aggregator.peer === null) return this.ports.gather(vote)
    const { network, later, broadcast } = this.ports
    const key = placeOf(vote)
    this.underWay.set(key, vote)
    network.send(aggregator.peer, 'consensus', encodeConsensusMessage({ kind: 'relay', vote }))
    later(patienceMs, () => {
      if (!this.underWay.delete(key)) return
      // Also of a height that is over: the vote still tells the others that this node is up.
      broadcast({ kind: 'votes', votes: [vote] })
      if (vote.height === this.height) this.mistrust(aggregator)
      else this.goStraight(fewHeights)
    })
  }

  private mistrust({ index }: NearMember): void {
    const { height, config, ports } = this
    this.mistrusted.set(index, height + config.mistrustHeights)
    ports.logger.info('an aggregator let a vote lie: others are used', { member: index, height })
    this.near = null
  }

  /** Votes came from others, checked or not: an own one among them is on its way. */
  seen(votes: readonly Vote[]): void {
    if (this.underWay.size === 0) return
    for (const vote of votes) {
      const own = this.underWay.get(placeOf(vote))
      if (own?.member === vote.member && own.blockHash === vote.blockHash) this.underWay.delete(placeOf(vote))
    }
  }

  /** The height stands still: if a vote went by an aggregator, that may be why, and for a while none does; longer, when it happens again. */
  standsStill(): void {
    const { usedAt, height, straightUpTo, lastPause } = this
    const { mistrustHeights } = this.config
    if (usedAt !== height || height <= straightUpTo) return
    const isAgain = height <= lastPause.upTo + mistrustHeights
    const heights = Math.min(isAgain ? 2 * lastPause.heights : fewHeights, mistrustHeights)
    this.lastPause = { heights, upTo: height + heights }
    this.goStraight(heights)
    this.ports.logger.info('a height stands still: votes go straight to everybody', { height, heights })
  }

  private goStraight(heights: number): void {
    this.straightUpTo = Math.max(this.straightUpTo, this.height + heights)
  }

  private aggregator(): NearMember | null {
    const { set, height } = this
    if (height <= this.straightUpTo) return null
    const near = this.nearby()
    return near.length < leastNear ? null : aggregatorOf({ near, height, members: set.members.length })
  }

  private nearby(): readonly NearMember[] {
    this.near ??= this.findNear()
    return this.near
  }

  private findNear(): NearMember[] {
    const { set, self, height, config, ports } = this
    if (self === null || set.members.length < config.leastMembers) return []
    const up = ports.up()
    return nearMembers({ set, self, network: ports.network, nearMs: config.nearMs }).filter(
      ({ index }) => up.has(index) && height > (this.mistrusted.get(index) ?? 0),
    )
  }
}

const placeOf = ({ height, round, step }: VoteContent): string => `${height}/${round}/${step}`
