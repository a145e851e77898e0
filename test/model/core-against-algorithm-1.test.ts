import { expect, it } from 'vitest'
import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import { MorphismError } from '../../src/base/primitives/morphism-error.js'
import { defaultParameters } from '../../src/base/protocol/protocol-parameters.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { precommit, prevote, type Vote } from '../../src/base/protocol/vote.js'
import { type ConsensusCore, createConsensusCore } from '../../src/rules/consensus/core.js'
import type { ConsensusInput, ConsensusOutput } from '../../src/rules/consensus/core-messages.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'
import { Algorithm1, type ModelAction } from './algorithm-1.js'
import { blockOf, isValidBlock, proposalBy, setOf, voteBy } from './consensus-fixture.js'
import { SeededRandom } from './seeded-random.js'

const powers = [
  [1n, 1n, 1n, 1n],
  [1n, 1n, 1n, 1n, 1n, 1n, 1n],
  [5n, 3n, 2n, 2n, 1n],
]

/** The core's output as the model words it; null for what the model does not know. */
function actionOf(output: ConsensusOutput): ModelAction | null {
  switch (output.type) {
    case 'prepare-proposal':
      return `getValue ${output.round}`
    case 'sign-proposal':
      return `propose ${output.content.round} ${output.content.blockHash} ${output.content.validRound}`
    case 'sign-vote':
      return `${output.content.step === prevote ? 'prevote' : 'precommit'} ${output.content.round} ${output.content.blockHash}`
    case 'decide':
      return `decide ${output.blockHash}`
    case 'schedule-timeout':
      return output.step === 'propose' ? null : `timer ${output.step} ${output.round}`
    default:
      return null
  }
}

/** One core and one model under the same random inputs. */
class Pair {
  private readonly height: number
  private readonly set: SequencerSet
  private readonly self: number
  private readonly core: ConsensusCore
  private readonly model: Algorithm1
  private readonly proposals = new Map<number, BlockHash>()
  private readonly firstVotes = new Map<string, BlockHash>()
  private readonly asked: BlockHash[] = []
  private readonly known = new Set<BlockHash>([zeroHash])
  private readonly pending: ConsensusInput[] = []
  readonly seen = new Set<string>()

  constructor(private readonly random: SeededRandom) {
    this.height = random.below(1_000)
    this.set = setOf(random.pick(powers))
    this.self = random.below(this.set.members.length)
    this.core = createConsensusCore({ self: this.self, parameters: defaultParameters })
    this.model = new Algorithm1(this.height, this.set, this.self)
    this.core.step({ type: 'start-height', height: this.height, set: this.set })
    this.compare(this.core.step({ type: 'work-available', height: this.height }), this.model.start())
  }

  run(inputs: number): void {
    for (let i = 0; i < inputs && !this.core.state!.decided; i++) this.feed(this.nextInput())
  }

  private feed(input: ConsensusInput): void {
    const outputs = this.core.step(input)
    this.compare(outputs, this.toModel(input))
  }

  private toModel(input: ConsensusInput): ModelAction[] {
    switch (input.type) {
      case 'proposal':
        return this.model.receiveProposal(input.proposal)
      case 'votes':
        return this.model.receiveVotes(input.votes)
      case 'validated':
        return this.model.validated(input.blockHash, input.valid)
      case 'prepared':
        return this.model.prepared(input.round, input.blockHash)
      case 'timeout':
        return this.model.timeout(input.step, input.round)
      default:
        return []
    }
  }

  /** The core must do what the model does, where the model's timers may fire early; the state must agree. */
  private compare(outputs: readonly ConsensusOutput[], modelActions: readonly ModelAction[]): void {
    const expected = outputs.map(actionOf).filter(action => action !== null)
    const actual = [...modelActions]
    for (let fired = 0; fired < 64 && this.isBehind(); fired++) {
      this.seen.add(`early ${this.model.step}`)
      actual.push(...this.model.timeout(this.model.step, this.model.round))
    }
    const decision = outputs.find(output => output.type === 'decide')
    if (decision && this.model.decision === null) {
      // L49 by a proposal of another round: the paper decides as soon as that of this round comes.
      const { round, blockHash, height } = decision
      const proposer = proposerOf(this.set, height, round)
      actual.push(...this.model.receiveProposal(proposalBy(proposer, { height, round, blockHash, validRound: -1 })))
    }
    // A timer whose step ended in the same input is set by one of them only.
    const withoutTimers = (actions: readonly string[]) => actions.filter(action => !action.startsWith('timer'))
    expect(withoutTimers(expected)).toEqual(withoutTimers(actual))
    if (!decision) this.compareState()
    for (const output of outputs) this.note(output)
  }

  private compareState(): void {
    const { round, step, lockedRound, lockedValue, validRound, validValue } = this.core.state!
    const { model } = this
    expect({ round, step, lockedRound, lockedValue, validRound, validValue }).toEqual({
      round: model.round,
      step: model.step,
      lockedRound: model.lockedRound,
      lockedValue: model.lockedValue,
      validRound: model.validRound,
      validValue: model.validValue,
    })
  }

  private isBehind(): boolean {
    const order = ['propose', 'prevote', 'precommit']
    const { round, step, decided } = this.core.state!
    if (decided || this.model.decision !== null) return false
    return (
      this.model.round < round || (this.model.round === round && order.indexOf(this.model.step) < order.indexOf(step))
    )
  }

  /** Own votes and answers come back later, in any order. */
  private note(output: ConsensusOutput): void {
    this.seen.add(output.type)
    if (output.type === 'validate') {
      this.known.add(output.blockHash)
      this.asked.push(output.blockHash)
    } else if (output.type === 'prepare-proposal') {
      const blockHash = blockOf({ maker: this.self, round: output.round, variant: 0, valid: true })
      this.pending.push({ type: 'prepared', height: this.height, round: output.round, blockHash })
    } else if (output.type === 'sign-vote') {
      this.pending.push({ type: 'votes', votes: [this.remember(voteBy(this.self, output.content))] })
    } else if (output.type === 'sign-proposal') {
      this.proposals.set(output.content.round, output.content.blockHash)
      this.pending.push({ type: 'proposal', proposal: proposalBy(this.self, output.content) })
    }
  }

  private nextInput(): ConsensusInput {
    const { random, height } = this
    const dice = random.fraction()
    if (dice < 0.2 && this.pending.length > 0) return this.pending.splice(random.below(this.pending.length), 1)[0]!
    if (dice < 0.3 && this.asked.length > 0) {
      const blockHash = this.asked.splice(random.below(this.asked.length), 1)[0]!
      return { type: 'validated', height, blockHash, valid: isValidBlock(blockHash) }
    }
    if (dice < 0.36) {
      const { round, step } = this.core.state!
      return { type: 'timeout', height, round, step: random.chance(0.7) ? step : 'precommit' }
    }
    if (dice < 0.5) return this.someProposal() ?? this.someVotes()
    return this.someVotes()
  }

  /** One proposal a round, near the core's round, by its proposer. */
  private someProposal(): ConsensusInput | null {
    const { random, height } = this
    const round = this.someRound()
    const proposer = proposerOf(this.set, height, round)
    if (proposer === this.self || this.proposals.has(round)) return null
    const earlier = random.below(round + 1) - 1
    const repeated = this.proposals.get(earlier)
    const again = repeated !== undefined && random.chance(0.7)
    const valid = !again && random.chance(0.9)
    const blockHash = again ? repeated : blockOf({ maker: proposer, round, variant: 0, valid })
    this.proposals.set(round, blockHash)
    const validRound = again && random.chance(0.9) ? earlier : -1
    return { type: 'proposal', proposal: proposalBy(proposer, { height, round, blockHash, validRound }) }
  }

  /** A few votes that tend to agree, of one round and step. */
  private someVotes(): ConsensusInput {
    const { random, height } = this
    const round = this.someRound()
    const step = random.chance(0.6) ? prevote : precommit
    const favourite = this.proposals.get(round) ?? zeroHash
    const votes: Vote[] = []
    for (const { index: member } of this.set.members) {
      if (member === this.self || random.chance(0.5)) continue
      const stray = random.chance(0.15) ? zeroHash : favourite
      const vote = voteBy(member, { height, round, step, blockHash: stray })
      if (this.mayCount(vote)) votes.push(this.remember(vote))
    }
    return { type: 'votes', votes: votes.map(vote => voteBy(vote.member, vote)) }
  }

  /** Second votes count in the core only for nil and for blocks that it knows; no block gets a quorum unless it is valid. */
  private mayCount(vote: Vote): boolean {
    if (vote.step === precommit && vote.blockHash !== zeroHash && !isValidBlock(vote.blockHash)) return false
    const first = this.firstVotes.get(`${vote.member} ${vote.round} ${vote.step}`)
    return first === undefined || first === vote.blockHash || this.known.has(vote.blockHash)
  }

  private remember(vote: ReturnType<typeof voteBy>): ReturnType<typeof voteBy> {
    const id = `${vote.member} ${vote.round} ${vote.step}`
    if (!this.firstVotes.has(id)) this.firstVotes.set(id, vote.blockHash)
    return vote
  }

  /** Up to two rounds ahead, so that the core has to forget nothing. */
  private someRound(): number {
    const { round } = this.core.state!
    if (this.random.chance(0.6)) return round
    return this.random.chance(0.5) ? round + 1 + this.random.below(2) : this.random.below(round + 1)
  }
}

it('does what Algorithm 1 does, under 1,000 random schedules', () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 1_000; seed++) {
    const pair = new Pair(new SeededRandom(seed))
    try {
      pair.run(120)
    } catch (error) {
      throw new MorphismError('MODEL', `seed ${seed}`, {}, { cause: error })
    }
    for (const event of pair.seen) seen.add(event)
  }
  expect([...seen].sort()).toEqual(
    [
      'decide',
      'early precommit',
      'early prevote',
      'early propose',
      'equivocation',
      'prepare-proposal',
      'round-started',
      'schedule-timeout',
      'sign-proposal',
      'sign-vote',
      'validate',
    ].sort(),
  )
})
