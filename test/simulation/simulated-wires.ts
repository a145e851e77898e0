import { type ConsensusMessage, decodeConsensusMessage } from '../../src/base/protocol/consensus-message.js'
import { precommit, type Vote } from '../../src/base/protocol/vote.js'
import { MemoryHub, type Passage } from '../../src/io/network/memory-network.js'
import type { Clock } from '../../src/io/time/clock.js'
import type { SeededRandom } from '../model/seeded-random.js'
import { nodeName } from './node-name.js'
import type { Trace } from './trace.js'

/** The network between the nodes: what it does to each message is drawn from the seed, within the faults that are on. */
export class SimulatedWires {
  readonly hub: MemoryHub
  lossProbability = 0
  duplicationProbability = 0
  reorderingProbability = 0
  /** Extra time of what a node sends. */
  readonly extraMs = new Map<string, number>()
  /** Decisions that are hidden now. */
  readonly hidden: { readonly node: number; readonly blind: number }[] = []
  /** Directions in which nothing arrives, as `from to`, and how many faults want that. */
  private readonly blocked = new Map<string, number>()
  private readonly cut = new Map<string, number>()
  /** The least time of a message without faults. */
  readonly baseMs: number

  constructor(
    private readonly args: {
      readonly time: Clock
      readonly random: SeededRandom
      readonly trace: Trace
      /** The time of every message without faults; drawn when left out. */
      readonly oneWayMs?: number | undefined
    },
  ) {
    const { time, random, trace } = args
    this.baseMs = 1 + random.below(15)
    this.hub = new MemoryHub({
      clock: time,
      delayMs: passage => this.delay(passage),
      loses: (passage, content) => this.loses(passage, content),
      duplicates: () => this.duplicationProbability > 0 && random.chance(this.duplicationProbability),
      overtakes: () => this.reorderingProbability > 0 && random.chance(this.reorderingProbability),
      onDelivery: ({ from, to, channel }, content) => trace.add(`${time.nowMs()} ${from} ${to} ${channel}`, content),
    })
  }

  /** Loses everything that goes this way, or, with -1, no longer. */
  block(from: number, to: number, change: 1 | -1): void {
    const way = `${nodeName(from)} ${nodeName(to)}`
    this.blocked.set(way, (this.blocked.get(way) ?? 0) + change)
  }

  /** Cuts the wire between two nodes, so that both notice, or, with -1, mends it. */
  sever(a: number, b: number, change: 1 | -1): void {
    const pair = `${nodeName(Math.min(a, b))} ${nodeName(Math.max(a, b))}`
    const cuts = (this.cut.get(pair) ?? 0) + change
    this.cut.set(pair, cuts)
    if (cuts === 0 || (cuts === 1 && change === 1)) this.hub.setWire(nodeName(a), nodeName(b), cuts === 0)
  }

  private delay({ from }: Passage): number {
    const { oneWayMs, random } = this.args
    return (oneWayMs ?? this.baseMs + random.below(10)) + (this.extraMs.get(from) ?? 0)
  }

  private loses(passage: Passage, content: Uint8Array): boolean {
    const { from, to } = passage
    if (this.hidden.some(hiding => isHidden(hiding, passage, content))) return true
    if ((this.blocked.get(`${from} ${to}`) ?? 0) > 0) return true
    return this.lossProbability > 0 && this.args.random.chance(this.lossProbability)
  }
}

function isHidden({ node, blind }: { node: number; blind: number }, passage: Passage, content: Uint8Array): boolean {
  const { from, to, channel } = passage
  const isFromNode = from === nodeName(node)
  if (channel !== 'consensus') return isFromNode
  if (!isFromNode && to !== nodeName(blind)) return false
  const message = decodeConsensusMessage(content)
  if (to === nodeName(blind)) return isFromNode || (message.kind === 'proposal' && message.proposal.round === 0)
  return votesOf(message).some(vote => vote.step === precommit)
}

function votesOf(message: ConsensusMessage): readonly Vote[] {
  switch (message.kind) {
    case 'votes':
      return message.votes
    case 'relay':
      return [message.vote]
    case 'aggregate':
      return message.aggregate.votes
    default:
      return []
  }
}
