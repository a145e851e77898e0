import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import { InvariantError, invariant } from '../../src/base/primitives/invariant.js'
import type { Proposal } from '../../src/base/protocol/proposal.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { precommit, prevote, type Vote } from '../../src/base/protocol/vote.js'
import { type ConsensusCore, createConsensusCore } from '../../src/rules/consensus/core.js'
import type { ConsensusInput, ConsensusOutput } from '../../src/rules/consensus/core-messages.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'
import type { TimeoutParameters } from '../../src/rules/consensus/timeouts.js'
import type { Verified } from '../../src/rules/consensus/verified.js'
import { blockOf, isValidBlock, nameOf, proposalBy, setOf, voteBy } from './consensus-fixture.js'
import type { SeededRandom } from './seeded-random.js'

type Message = Verified<Proposal> | Verified<Vote>

/** Timeouts in the scale of the delays below. */
const parameters: TimeoutParameters = {
  proposeTimeoutMs: 200,
  proposeTimeoutDeltaMs: 50,
  voteTimeoutMs: 100,
  voteTimeoutDeltaMs: 30,
  maxTimeoutMs: 1_000,
}
const resendEveryMs = 150
const delayBeforeMs = 1_500
const delayAfterMs = 20

/** What went wrong in a run, if anything. */
export interface RunReport {
  readonly decisions: ReadonlyMap<number, BlockHash>
  readonly highestRound: number
  readonly endedAtMs: number
}

interface Node {
  readonly index: number
  core: ConsensusCore
  readonly log: { input: ConsensusInput; outputs: readonly ConsensusOutput[] }[]
  /** Content by round and step, to see a double signature. */
  readonly signed: Map<string, string>
}

/**
 * A few cores, the last `byzantine` members of the set being enemies, in virtual time: messages are late, lost and doubled before
 * `stableAtMs` and take at most 20 ms after it. Nodes send again what they know, as the engine does.
 */
export class ConsensusNetwork {
  private readonly set: SequencerSet
  private readonly height: number
  private readonly nodes: Node[]
  private readonly enemies: readonly number[]
  private readonly events: { atMs: number; order: number; run: () => void }[] = []
  private readonly decisions = new Map<number, BlockHash>()
  private readonly blocks: BlockHash[] = []
  private nowMs = 0
  private order = 0
  private highestRound = 0

  constructor(
    private readonly random: SeededRandom,
    { members, byzantine, stableAtMs }: { members: number; byzantine: number; stableAtMs: number },
  ) {
    this.stableAtMs = stableAtMs
    this.set = setOf(Array.from({ length: members }, () => 1n))
    this.height = 1 + random.below(1_000)
    const honest = members - byzantine
    this.enemies = Array.from({ length: byzantine }, (_, i) => honest + i)
    this.nodes = Array.from({ length: honest }, (_, index) => this.nodeOf(index))
  }

  private readonly stableAtMs: number

  /** Runs until all honest nodes decided, or the time is over. @throws InvariantError when a property broke */
  run(untilMs: number): RunReport {
    for (const node of this.nodes) {
      this.feed(node, { type: 'start-height', height: this.height, set: this.set })
      this.later(this.random.below(resendEveryMs), () => this.sendAgain(node))
    }
    // Some have work, at least one of the honest.
    const lucky = this.random.below(this.nodes.length)
    for (const node of this.nodes)
      if (node.index === lucky || this.random.chance(0.3))
        this.later(this.random.below(500), () => this.feed(node, { type: 'work-available', height: this.height }))
    for (const enemy of this.enemies) this.later(this.random.below(300), () => this.attack(enemy))
    while (this.decisions.size < this.nodes.length && this.nowMs < untilMs) this.next()
    for (const node of this.nodes) this.replay(node)
    return { decisions: this.decisions, highestRound: this.highestRound, endedAtMs: this.nowMs }
  }

  private nodeOf(index: number): Node {
    return { index, core: createConsensusCore({ self: index, parameters }), log: [], signed: new Map() }
  }

  // --- time ---

  private later(delayMs: number, run: () => void): void {
    this.events.push({ atMs: this.nowMs + delayMs, order: this.order++, run })
    for (let at = this.events.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.isBefore(at, parent)) break
      this.swap(at, parent)
      at = parent
    }
  }

  private next(): void {
    const event = this.events[0]
    invariant(event, 'an event is due')
    const last = this.events.pop()!
    if (this.events.length > 0) this.events[0] = last
    for (let at = 0; ; ) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.events.length && this.isBefore(child, least)) least = child
      if (least === at) break
      this.swap(at, least)
      at = least
    }
    this.nowMs = event.atMs
    event.run()
  }

  private isBefore(a: number, b: number): boolean {
    const [x, y] = [this.events[a]!, this.events[b]!]
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.order < y.order)
  }

  private swap(a: number, b: number): void {
    const x = this.events[a]!
    this.events[a] = this.events[b]!
    this.events[b] = x
  }

  // --- network ---

  private broadcast(messages: readonly Message[], except?: number): void {
    for (const node of this.nodes) if (node.index !== except) this.send(node, messages)
  }

  private send(node: Node, messages: readonly Message[]): void {
    const isStable = this.nowMs >= this.stableAtMs
    if (!isStable && this.random.chance(0.2)) return
    const latestMs = isStable ? delayAfterMs : delayBeforeMs
    for (let copy = this.random.chance(0.05) ? 2 : 1; copy > 0; copy--)
      this.later(Math.min(this.random.below(latestMs), this.stableAtMs + delayAfterMs), () => {
        const votes = messages.filter(message => 'step' in message)
        for (const message of messages)
          if (!('step' in message)) this.feed(node, { type: 'proposal', proposal: message })
        if (votes.length > 0) this.feed(node, { type: 'votes', votes })
      })
  }

  /** All that a node knows of its round, of its valid round and of a few before, to everybody. */
  private sendAgain(node: Node): void {
    const { round, validRound } = node.core.state!
    for (const at of new Set([round, round - 1, round - 2, validRound])) {
      if (at < 0) continue
      const { proposals, prevotes, precommits } = node.core.messagesOf(this.height, at)
      this.broadcast([...proposals, ...prevotes, ...precommits], node.index)
    }
    this.later(resendEveryMs, () => this.sendAgain(node))
  }

  // --- nodes ---

  private feed(node: Node, input: ConsensusInput): void {
    const outputs = node.core.step(input)
    node.log.push({ input, outputs })
    for (const output of outputs) this.act(node, output)
    if (this.random.chance(0.002)) this.restart(node)
  }

  private act(node: Node, output: ConsensusOutput): void {
    const { height, random } = this
    const soonMs = random.below(5)
    switch (output.type) {
      case 'prepare-proposal': {
        const { round } = output
        const blockHash = this.remember(blockOf({ maker: node.index, round, variant: 0, valid: true }))
        this.later(soonMs, () => this.feed(node, { type: 'prepared', height, round, blockHash }))
        return
      }
      case 'sign-proposal':
        this.checkSigned(node, `${output.content.round} propose`, JSON.stringify(output.content))
        this.later(soonMs, () => this.publish(node, proposalBy(node.index, output.content)))
        return
      case 'sign-vote':
        this.checkSigned(node, `${output.content.round} ${output.content.step}`, output.content.blockHash)
        this.later(soonMs, () => this.publish(node, voteBy(node.index, output.content)))
        return
      case 'validate': {
        const { blockHash } = output
        const valid = isValidBlock(blockHash)
        const acceptable = Number.parseInt(blockHash.slice(2, 10), 16) < this.nodes.length || random.chance(0.7)
        this.later(soonMs, () => this.feed(node, { type: 'validated', height, blockHash, valid, acceptable }))
        return
      }
      case 'schedule-timeout': {
        const { round, step, delayMs } = output
        this.later(delayMs, () => this.feed(node, { type: 'timeout', height, round, step }))
        return
      }
      case 'round-started':
        this.highestRound = Math.max(this.highestRound, output.round)
        return
      case 'decide':
        this.checkDecision(node, output.blockHash)
        return
      case 'equivocation': {
        const culprit = 'member' in output.first ? output.first.member : output.first.proposer
        invariant(this.enemies.includes(culprit), 'an honest node was framed', { culprit })
      }
    }
  }

  private publish(node: Node, message: Message): void {
    this.feed(node, 'step' in message ? { type: 'votes', votes: [message] } : { type: 'proposal', proposal: message })
    this.broadcast([message], node.index)
  }

  /** A crash: a new core reads the log and must end where the old one was. */
  private restart(node: Node): void {
    const before = node.core.state
    node.core = this.replay(node)
    invariant(JSON.stringify(before) === JSON.stringify(node.core.state), 'a replay ends elsewhere')
  }

  private replay(node: Node): ConsensusCore {
    const core = createConsensusCore({ self: node.index, parameters })
    const text = (value: unknown) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}` : part))
    for (const { input, outputs } of node.log)
      invariant(text(core.step(input)) === text(outputs), 'a replay has other outputs', { input })
    return core
  }

  private checkSigned(node: Node, slot: string, content: string): void {
    invariant(!node.signed.has(slot), 'a node signs once', { node: node.index, slot })
    node.signed.set(slot, content)
  }

  private checkDecision(node: Node, blockHash: BlockHash): void {
    invariant(isValidBlock(blockHash), 'an invalid block was decided')
    for (const [other, decided] of this.decisions)
      if (decided !== blockHash)
        throw new InvariantError('the network forked', {
          [node.index]: nameOf(blockHash),
          [other]: nameOf(decided),
        })
    this.decisions.set(node.index, blockHash)
  }

  // --- enemies ---

  private remember(blockHash: BlockHash): BlockHash {
    if (!this.blocks.includes(blockHash)) this.blocks.push(blockHash)
    return blockHash
  }

  /** Votes and proposals of any kind, other ones to each, near the rounds where the honest are. */
  private attack(enemy: number): void {
    const { random } = this
    const front = Math.max(...this.nodes.map(node => node.core.state!.round))
    for (let i = 0; i < 3; i++) {
      const round = Math.max(0, front + 2 - random.below(4))
      const message = random.chance(0.4) ? this.falseProposal(enemy, round) : this.falseVote(enemy, round)
      if (!message) continue
      if (random.chance(0.3)) this.broadcast([message])
      else this.send(random.pick(this.nodes), [message])
    }
    this.later(random.below(60), () => this.attack(enemy))
  }

  private falseProposal(enemy: number, round: number): Message | null {
    const { random, height } = this
    if (proposerOf(this.set, height, round) !== enemy) return null
    const made = blockOf({ maker: enemy, round, variant: random.below(2), valid: random.chance(0.8) })
    const blockHash = random.chance(0.5) || this.blocks.length === 0 ? made : random.pick(this.blocks)
    const validRound = random.chance(0.5) ? -1 : random.below(round + 1) - 1
    return proposalBy(enemy, { height, round, validRound, blockHash: this.remember(blockHash) })
  }

  private falseVote(enemy: number, round: number): Message {
    const { random, height } = this
    const recent = this.blocks.slice(-4)
    const blockHash = random.chance(0.3) || recent.length === 0 ? zeroHash : random.pick(recent)
    return voteBy(enemy, { height, round, step: random.chance(0.6) ? prevote : precommit, blockHash })
  }
}
