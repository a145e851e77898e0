import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import type { Proposal } from '../../src/base/protocol/proposal.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { precommit, prevote, type Vote, type VoteStep } from '../../src/base/protocol/vote.js'
import { type ConsensusCore, createConsensusCore } from '../../src/rules/consensus/core.js'
import type { ConsensusInput, ConsensusOutput } from '../../src/rules/consensus/core-messages.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'
import type { VerifiedMessages } from '../../src/rules/consensus/signed-messages.js'
import type { TimeoutParameters } from '../../src/rules/consensus/timeouts.js'
import type { Verified } from '../../src/rules/consensus/verified.js'
import { aggregateBy, blockOf, isValidBlock, proposalBy, setOf, voteBy } from './consensus-fixture.js'
import type { SeededRandom } from './seeded-random.js'

type Message = Verified<Proposal> | Verified<Vote>
/** The honest are in one of two halves that hear little of each other. */
type Half = 0 | 1

/** Timers fire when the schedule says so: their lengths do not matter. */
const parameters: TimeoutParameters = {
  proposeTimeoutMs: 1,
  proposeTimeoutDeltaMs: 0,
  voteTimeoutMs: 1,
  voteTimeoutDeltaMs: 0,
  maxTimeoutMs: 1,
}

interface Node {
  readonly index: number
  readonly half: Half
  readonly core: ConsensusCore
  /** What its write-ahead log holds. */
  readonly log: ConsensusInput[]
}

/** What the enemies do besides forgetting their locks. */
export interface Malice {
  readonly members: number
  readonly byzantine: number
  /** Whether they sign two votes or proposals for one place. */
  readonly equivocates: boolean
  /** Whether they precommit what had no polka. */
  readonly precommitsFreely: boolean
  /** Chance that a message of one half reaches a node of the other. */
  readonly leak: number
}

/**
 * Cores at one height in a wholly asynchronous network that an enemy with more than a third of the power runs: it tries to
 * make the two halves of the honest decide two blocks. There is no time: any message or timer that is due may be next.
 */
export class ForkingNetwork {
  readonly set: SequencerSet
  readonly height: number
  readonly nodes: readonly Node[]
  readonly enemies: readonly number[]
  readonly decisions = new Map<number, BlockHash>()
  private readonly due: (() => void)[] = []
  private readonly blocks: BlockHash[] = []
  /** What an enemy said, by place, when it must not contradict itself. */
  private readonly said = new Map<string, Message>()

  constructor(
    private readonly random: SeededRandom,
    private readonly malice: Malice,
  ) {
    const { members, byzantine } = malice
    const honest = members - byzantine
    this.set = setOf(Array.from({ length: members }, () => 1n))
    this.height = 1 + random.below(1_000)
    this.enemies = Array.from({ length: byzantine }, (_, i) => honest + i)
    this.nodes = Array.from({ length: honest }, (_, index) => ({
      index,
      half: (index % 2) as Half,
      core: createConsensusCore({ self: index, parameters }),
      log: [],
    }))
  }

  /** Runs so many steps, or until all honest nodes decided; says whether they decided two blocks. */
  run(steps: number): boolean {
    for (const node of this.nodes) {
      for (const output of node.core.step({ type: 'start-height', height: this.height, set: this.set }))
        this.act(node, output)
      this.feedLater(node, { type: 'work-available', height: this.height })
    }
    for (let i = 0; i < steps && this.decisions.size < this.nodes.length; i++) {
      if (this.due.length === 0 || this.random.chance(0.15)) this.attack()
      else this.takeDue()()
    }
    return new Set(this.decisions.values()).size > 1
  }

  /** What the logs of the honest nodes hold, without the records that are not kept. */
  logged(keeps: (node: Node, record: number) => boolean = () => true): VerifiedMessages {
    const inputs = this.nodes.flatMap(node => node.log.filter((_, record) => keeps(node, record)))
    return {
      ...this.partlyAggregated(inputs.flatMap(input => (input.type === 'votes' ? input.votes : []))),
      proposals: inputs.flatMap(input => (input.type === 'proposal' ? [input.proposal] : [])),
      certificates: [],
      refused: 0,
    }
  }

  /** The same votes, some of them known by aggregates alone. */
  private partlyAggregated(votes: readonly Verified<Vote>[]): Pick<VerifiedMessages, 'votes' | 'aggregates'> {
    const groups = new Map<string, Map<number, Vote>>()
    const single: Verified<Vote>[] = []
    for (const vote of votes) {
      const key = `${vote.round} ${vote.step} ${vote.blockHash}`
      if (this.random.chance(0.5)) groups.set(key, (groups.get(key) ?? new Map()).set(vote.member, vote))
      else single.push(vote)
    }
    return { votes: single, aggregates: [...groups.values()].map(of => aggregateBy([...of.values()])) }
  }

  private takeDue(): () => void {
    const at = this.random.below(this.due.length)
    const taken = this.due[at]!
    this.due[at] = this.due.at(-1)!
    this.due.pop()
    return taken
  }

  private feedLater(node: Node, input: ConsensusInput): void {
    this.due.push(() => this.feed(node, input))
  }

  private feed(node: Node, input: ConsensusInput): void {
    node.log.push(input)
    for (const output of node.core.step(input)) this.act(node, output)
  }

  private act(node: Node, output: ConsensusOutput): void {
    const { height } = this
    switch (output.type) {
      case 'prepare-proposal': {
        const { round } = output
        const blockHash = blockOf({ maker: node.index, round, variant: 0, valid: true })
        return this.feedLater(node, { type: 'prepared', height, round, blockHash })
      }
      case 'sign-proposal':
        return this.publish(node, proposalBy(node.index, output.content))
      case 'sign-vote':
        return this.publish(node, voteBy(node.index, output.content))
      case 'validate': {
        const { blockHash } = output
        return this.feedLater(node, { type: 'validated', height, blockHash, valid: isValidBlock(blockHash) })
      }
      case 'schedule-timeout': {
        const { round, step } = output
        return this.feedLater(node, { type: 'timeout', height, round, step })
      }
      case 'decide':
        this.decisions.set(node.index, output.blockHash)
    }
  }

  /** As the engine does: the node's own message is an input first. */
  private publish(node: Node, message: Message): void {
    this.feedLater(node, inputOf(message))
    for (const other of this.nodes)
      if (other !== node && (other.half === node.half || this.random.chance(this.malice.leak)))
        this.feedLater(other, inputOf(message))
  }

  // --- the enemy ---

  /** Helps one half to decide in the round where one of its nodes is, or in one after it. */
  private attack(): void {
    const { random } = this
    const target = random.pick(this.nodes)
    if (this.decisions.has(target.index)) return
    const half = this.nodes.filter(node => node.half === target.half)
    const round = target.core.state!.round + (random.chance(0.2) ? 1 + random.below(2) : 0)
    const proposal = this.proposalFor(target, round)
    if (proposal && this.enemies.includes(proposal.proposer)) this.tell(half, proposal)
    const blockHash = proposal && random.chance(0.9) ? proposal.blockHash : zeroHash
    for (const enemy of this.enemies) {
      if (random.chance(0.05)) continue
      this.vote(half, { enemy, round, step: prevote, blockHash })
      const hasPolka = target.core.state!.validValue === blockHash
      if (hasPolka || this.malice.precommitsFreely || blockHash === zeroHash)
        this.vote(half, { enemy, round, step: precommit, blockHash })
    }
  }

  private vote(
    half: readonly Node[],
    { enemy, round, step, blockHash }: { enemy: number; round: number; step: VoteStep; blockHash: BlockHash },
  ): void {
    const vote = voteBy(enemy, { height: this.height, round, step, blockHash })
    this.tell(half, this.consistent(`${enemy} ${round} ${step}`, vote))
  }

  /** The proposal that the target has for the round, or one of the enemy's when the turn is its. */
  private proposalFor(target: Node, round: number): Verified<Proposal> | undefined {
    const { random, height } = this
    const known = target.core.messagesOf(height, round).proposals[0]
    const proposer = proposerOf(this.set, height, round)
    if (known || !this.enemies.includes(proposer)) return known
    const made = blockOf({ maker: proposer, round, variant: random.below(2), valid: true })
    const blockHash = this.blocks.length > 0 && random.chance(0.4) ? random.pick(this.blocks) : made
    this.blocks.push(blockHash)
    const validRound = random.chance(0.6) ? -1 : random.below(round + 1) - 1
    const proposal = proposalBy(proposer, { height, round, validRound, blockHash })
    return this.consistent(`${proposer} ${round} proposal`, proposal)
  }

  private consistent<Kind extends Message>(place: string, message: Kind): Kind {
    if (this.malice.equivocates && this.random.chance(0.7)) return message
    const said = (this.said.get(place) as Kind | undefined) ?? message
    this.said.set(place, said)
    return said
  }

  private tell(half: readonly Node[], message: Message): void {
    for (const node of half) if (this.random.chance(0.95)) this.feedLater(node, inputOf(message))
  }
}

const inputOf = (message: Message): ConsensusInput =>
  'step' in message ? { type: 'votes', votes: [message] } : { type: 'proposal', proposal: message }
