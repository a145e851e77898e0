import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { Block } from '../../base/protocol/block.js'
import {
  type ConsensusMessage,
  encodeConsensusMessage,
  maxVotesPerMessage,
  type OutgoingConsensusMessage,
} from '../../base/protocol/consensus-message.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Vote } from '../../base/protocol/vote.js'
import type { Peer, PeerNetwork } from '../../io/network/peer-network.js'
import type { Clock } from '../../io/time/clock.js'
import type { RoundMessages } from '../../rules/consensus/core.js'
import type { Bearer } from './votes/vote-door.js'

/** How often this node tells its peers where it stands while a height stands still. */
const statusIntervalMs = 200
/** A peer is sent what it lacks no more often: a status is small, and what answers it may be whole blocks. */
const leastHelpMs = statusIntervalMs / 2
/** A height stands still once it takes so many times as long as heights did of late. */
const standstillFactor = 2
/** No height counts as longer, so that a standstill does not make the next one longer. */
const maxUsualMs = 500
/** Least weight of the latest height in how long heights take; of the first ones each counts the same. */
const latestWeight = 1 / 8
/** Rounds before the current one of which a peer that comes to it may lack messages: more than a third of the power in one makes it skip there. */
const roundsBack = 2

/** The engine as its gossip sees it. */
export interface RoundView {
  height(): Height
  set(): SequencerSet
  round(): Round
  validRound(): Round | -1
  messagesOf(round: Round): RoundMessages
  block(hash: BlockHash): Block | undefined
  /** Since when the height has had work and no decision; null while nothing is due. */
  waitsSinceMs(): number | null
}

/**
 * Sends consensus messages to the other sequencers, and keeps messages from being lost for good: a node that stands still
 * says where it stands, and who can help sends what it lacks.
 */
export class RoundGossip {
  private cancel: () => void = () => {}
  /** How long heights took of late from their first sign of work to their decision: on long wires, longer than `statusIntervalMs`. */
  private usualMs = 0
  private decisions = 0
  /** When each member was helped at this height, by whichever of its peers. */
  private readonly helpedAtMs = new Map<MemberIndex, number>()

  constructor(
    private readonly ports: {
      readonly network: Pick<PeerNetwork, 'peers' | 'send' | 'onConnect'>
      readonly clock: Clock
      readonly view: RoundView
      /** The height stands still: this node says so to its peers. */
      readonly onStandstill: () => void
    },
  ) {}

  start(): void {
    this.ports.network.onConnect(peer => this.sendStatus([peer]))
    this.watch()
  }

  stop(): void {
    this.cancel()
  }

  /** A height was decided so long after its first sign of work. */
  decided(tookMs: number): void {
    this.decisions++
    this.helpedAtMs.clear()
    this.usualMs += (Math.min(tookMs, maxUsualMs) - this.usualMs) * Math.max(latestWeight, 1 / this.decisions)
  }

  broadcast(message: OutgoingConsensusMessage): void {
    const bytes = encodeConsensusMessage(message)
    for (const peer of this.sequencerPeers()) this.ports.network.send(peer.id, 'consensus', bytes)
  }

  /**
   * Sends a peer of the same height what it may lack: votes and proposals of its round, which it cannot end without them
   * however far ahead this node is, of the last rounds, and of the valid round. Who asks again at once is not answered.
   */
  help({ id: peer, member }: Bearer, status: Extract<ConsensusMessage, { kind: 'status' }>): void {
    const { view, network, clock } = this.ports
    if (status.height !== view.height() || status.round > view.round()) return
    const nowMs = clock.nowMs()
    if (nowMs - (this.helpedAtMs.get(member) ?? Number.NEGATIVE_INFINITY) < leastHelpMs) return
    this.helpedAtMs.set(member, nowMs)
    const send = (message: OutgoingConsensusMessage) => network.send(peer, 'consensus', encodeConsensusMessage(message))
    const votes: Vote[] = []
    for (const round of this.roundsSince(status.round)) {
      const { proposals, prevotes, precommits, aggregates } = view.messagesOf(round)
      votes.push(...prevotes, ...precommits)
      for (const aggregate of aggregates) send({ kind: 'aggregate', aggregate })
      if (round === status.round && status.hasProposal) continue
      for (const proposal of proposals) {
        const block = view.block(proposal.blockHash)
        if (block) send({ kind: 'proposal', proposal, block })
      }
    }
    for (let at = 0; at < votes.length; at += maxVotesPerMessage) {
      send({ kind: 'votes', votes: votes.slice(at, at + maxVotesPerMessage) })
    }
  }

  private roundsSince(theirs: Round): Set<Round> {
    const current = this.ports.view.round()
    const validRound = this.ports.view.validRound()
    const rounds = new Set<Round>([theirs])
    for (let round = Math.max(theirs, current - roundsBack); round <= current; round++) rounds.add(round)
    if (validRound >= 0) rounds.add(validRound)
    return rounds
  }

  private sequencerPeers(): Peer[] {
    const set = this.ports.view.set()
    return this.ports.network.peers().filter(peer => peer.consensusKey && memberByKey(set, peer.consensusKey))
  }

  private watch(): void {
    const { clock, view } = this.ports
    this.cancel = clock.schedule(statusIntervalMs, () => {
      const since = view.waitsSinceMs()
      const patienceMs = Math.max(statusIntervalMs, standstillFactor * this.usualMs)
      if (since !== null && clock.nowMs() - since >= patienceMs) {
        this.sendStatus(this.sequencerPeers())
        this.ports.onStandstill()
      }
      this.watch()
    })
  }

  private sendStatus(peers: readonly Peer[]): void {
    const { view, network } = this.ports
    const round = view.round()
    const hasProposal = view.messagesOf(round).proposals.length > 0
    const bytes = encodeConsensusMessage({ kind: 'status', height: view.height(), round, hasProposal })
    for (const peer of peers) network.send(peer.id, 'consensus', bytes)
  }
}
