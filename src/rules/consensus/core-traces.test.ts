import { describe, expect, it } from 'vitest'
import { defaultParameters } from '../../base/protocol/protocol-parameters.js'
import { coreOf, hashOf, height, lockedOnA, set, words } from './core.fixture.js'
import { createConsensusCore } from './core.js'
import type { ConsensusInput } from './core-messages.js'

describe('named traces', () => {
  it('hidden lock: one process locked, the others learn of the polka from its re-proposal and decide', () => {
    const node = coreOf(2)
    node.timeout('propose', 0)
    node.precommits('nil', 0, 0, 1, 2)
    node.timeout('precommit', 0)
    node.timeout('precommit', 1)
    node.timeout('precommit', 2)
    expect(node.core.state).toMatchObject({ round: 3, lockedRound: -1 })
    node.propose('A', 3, { validRound: 0 })
    node.validated('A')
    expect(node.prevotes('A', 0, 0, 1, 3)).toEqual(['prevote A 3'])
    expect(node.prevotes('A', 3, 0, 1, 2, 3)).toEqual(['precommit A 3'])
    expect(node.precommits('A', 3, 0, 2, 3)).toEqual(['decide A 3'])
  })

  it('decide for a past round: late precommits of round 0 decide in round 2', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    node.timeout('precommit', 0)
    node.timeout('precommit', 1)
    expect(node.precommits('A', 0, 0, 2)).toEqual([])
    expect(node.precommits('A', 0, 3)).toEqual(['decide A 0'])
  })

  it('decide in a far round: its votes lead there and decide at once', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    expect(node.precommits('A', 7, 0, 2, 3)).toEqual(['round 7', 'timer propose 7', 'decide A 7'])
  })

  it('re-proposal with a valid round: the locked process follows the later polka and locks anew', () => {
    const node = lockedOnA()
    node.timeout('precommit', 1)
    node.propose('B', 2, { validRound: 1 })
    node.validated('B')
    expect(node.prevotes('B', 1, 0, 1, 2)).toEqual(['prevote B 2'])
    expect(node.prevotes('B', 2, 0, 1, 2)).toEqual(['precommit B 2'])
    expect(node.core.state).toMatchObject({ lockedRound: 2, lockedValue: hashOf('B') })
  })

  it('nil polka: keeps the lock', () => {
    const node = lockedOnA()
    node.timeout('propose', 1)
    node.prevotes('nil', 1, 0, 1, 3)
    expect(node.core.state).toMatchObject({ step: 'precommit', lockedRound: 0, lockedValue: hashOf('A') })
  })

  it('round skip by f+1: two of four in a later round lead there, one does not, and what they sent there counts', () => {
    const node = coreOf(0)
    node.work()
    expect(node.prevotes('A', 2, 1)).toEqual([])
    expect(node.precommits('A', 2, 1)).toEqual([])
    expect(node.prevotes('A', 2, 3)).toEqual(['round 2', 'timer propose 2'])
    expect(node.core.messagesOf(height, 2).prevotes.map(vote => vote.member)).toEqual([1, 3])
    node.propose('A', 2)
    expect(node.validated('A')).toEqual(['prevote A 2'])
    expect(node.prevotes('A', 2, 0)).toEqual(['precommit A 2'])
    expect(node.timeout('precommit', 0)).toEqual([])
  })

  it('a proposer of two blocks cannot hide the one that the network takes', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    expect(node.propose('B', 0)).toEqual(['equivocation A B'])
    expect(node.propose('B', 0)).toEqual([])
    node.precommits('B', 0, 0, 2, 3)
    expect(node.propose('B', 0)).toEqual(['validate B'])
    expect(node.validated('B')).toEqual(['decide B 0'])
  })

  it('a member of two votes cannot hide a polka, and is reported once', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    expect(node.prevotes('nil', 0, 3)).toEqual([])
    node.prevotes('A', 0, 1, 2)
    expect(node.prevotes('A', 0, 3)).toEqual(['equivocation nil A', 'precommit A 0'])
    expect(node.prevotes('B', 0, 3)).toEqual([])
  })

  it('a replay of the inputs gives the same outputs', () => {
    const inputs: ConsensusInput[] = []
    const run = () => {
      const node = coreOf(0)
      const outputs: string[] = []
      for (const input of inputs) outputs.push(...node.step(input))
      return outputs
    }
    inputs.push({ type: 'work-available', height }, { type: 'prepared', height, round: 0, blockHash: hashOf('A') })
    expect(run()).toEqual(run())
    expect(run()).toContain('propose A 0 valid -1')
  })
})

describe('round 0 waits for work', () => {
  it('runs no timer before there is work or a message', () => {
    const core = createConsensusCore({ self: 1, parameters: defaultParameters })
    expect(core.step({ type: 'start-height', height, set }).map(words)).toEqual(['round 0'])
    expect(core.state).toMatchObject({ waiting: true, step: 'propose' })
  })

  it('starts once: by work, by a proposal, or by a vote', () => {
    const byVote = coreOf(1)
    expect(byVote.prevotes('nil', 0, 2)).toEqual(['timer propose 0'])
    expect(byVote.work()).toEqual([])
    expect(coreOf(1).precommits('nil', 0, 2)).toEqual(['timer propose 0'])
    const proposer = coreOf(0)
    expect(proposer.prevotes('nil', 0, 2)).toEqual(['prepare 0', 'timer propose 0'])
    expect(proposer.work()).toEqual([])
  })
})

describe('early end of a step', () => {
  it('prevotes and precommits nil once no block can get a polka, and goes on once none can be decided', () => {
    const node = coreOf(1)
    node.work()
    expect(node.prevotes('nil', 0, 2)).toEqual([])
    expect(node.prevotes('nil', 0, 3)).toEqual(['prevote nil 0', 'precommit nil 0'])
    expect(node.precommits('nil', 0, 1)).toEqual([])
    expect(node.precommits('nil', 0, 2)).toEqual(['round 1', 'prepare 1', 'timer propose 1'])
  })

  it('waits for its timer when no block can be decided but a polka unknown here is possible', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    node.prevotes('A', 0, 1, 2)
    node.prevotes('nil', 0, 3)
    node.timeout('prevote', 0)
    expect(node.precommits('nil', 0, 1, 3)).toEqual([])
    expect(node.core.state).toMatchObject({ round: 0 })
  })

  it('leaves the round once it has seen the polka and no block can be decided', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    node.prevotes('A', 0, 0, 1, 2)
    expect(node.precommits('nil', 0, 2, 3)).toEqual(['round 1', 'propose A 1 valid 0', 'timer propose 1'])
  })

  it('leaves it to the timers once each member had a round that ended early', () => {
    const node = coreOf(1)
    node.work()
    for (let round = 0; round < set.members.length; round++) {
      node.prevotes('nil', round, 2, 3)
      node.precommits('nil', round, 2, 3)
      expect(node.core.state).toMatchObject({ round: round + 1 })
    }
    const late = set.members.length
    node.prevotes('nil', late, 0, 2, 3)
    expect(node.precommits('nil', late, 0, 2, 3)).toEqual([`timer precommit ${late}`])
    expect(node.timeout('precommit', late)).toContain(`round ${late + 1}`)
  })

  it('leaves it to the timers after a contradiction', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.prevotes('A', 0, 3)
    expect(node.prevotes('nil', 0, 3)).toEqual(['equivocation A nil'])
    expect(node.prevotes('nil', 0, 0, 2)).toEqual([])
    expect(node.core.state).toMatchObject({ step: 'propose' })
  })
})

describe('what the core ignores', () => {
  it('other heights, wrong proposers, unknown members', () => {
    const node = coreOf(1)
    expect(node.step({ type: 'work-available', height: height + 1 })).toEqual([])
    expect(node.step({ type: 'start-height', height, set })).toEqual([])
    expect(node.propose('A', 0, { proposer: 2 })).toEqual([])
    expect(node.prevotes('A', 0, 4)).toEqual([])
    expect(node.core.state).toMatchObject({ waiting: true })
  })

  it('asks no vote again that it knows as its own', () => {
    const node = coreOf(1)
    node.prevotes('A', 0, 1)
    node.propose('A', 0)
    expect(node.validated('A')).toEqual([])
    expect(node.prevotes('A', 0, 0, 2)).toEqual(['precommit A 0'])
  })

  it('asks for nothing to be signed as an observer, yet follows', () => {
    const node = coreOf(null)
    node.propose('A', 0)
    expect(node.validated('A')).toEqual([])
    expect(node.prevotes('A', 0, 0, 1, 2)).toEqual([])
    expect(node.precommits('A', 0, 0, 1, 2)).toEqual(['decide A 0'])
  })

  it('keeps two future rounds of a member, the highest, however many it sends', () => {
    const node = coreOf(0)
    for (let round = 1; round <= 1_000; round++) node.prevotes('A', round, 2)
    expect(node.prevotes('A', 500, 3)).toEqual([])
    expect(node.prevotes('A', 999, 3)).toEqual(['round 999', 'timer propose 999'])
    expect(node.core.messagesOf(height, 999).prevotes.map(vote => vote.member)).toEqual([2, 3])
    expect(node.core.messagesOf(height, 500).prevotes.map(vote => vote.member)).toEqual([3])
  })
})
