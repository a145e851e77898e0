import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../base/primitives/invariant.js'
import { defaultParameters } from '../../base/protocol/protocol-parameters.js'
import { coreOf, hashOf, height, lockedOnA, set } from './core.fixture.js'
import { createConsensusCore } from './core.js'

describe('Algorithm 1, by line', () => {
  it('L11-L13: a later round starts at step propose with its timer', () => {
    const node = coreOf(0)
    expect(node.timeout('precommit', 0)).toEqual(['round 1', 'timer propose 1'])
    expect(node.core.state).toMatchObject({ round: 1, step: 'propose', proposer: 1 })
  })

  it('L14, L17-L19: the proposer without a valid value asks for one, then proposes it without a valid round', () => {
    const node = coreOf(0)
    expect(node.work()).toEqual(['prepare 0', 'timer propose 0'])
    expect(node.prepared('A', 0)).toEqual(['propose A 0 valid -1'])
    expect(node.prepared('B', 0)).toEqual([])
  })

  it('L18: a value that was prepared for a round that ended is not proposed', () => {
    const node = coreOf(0)
    node.work()
    node.timeout('propose', 0)
    expect(node.prepared('A', 0)).toEqual([])
    node.timeout('precommit', 0)
    expect(node.prepared('A', 0)).toEqual([])
    expect(node.prepared('A', 1)).toEqual([])
  })

  it('L14-L16, L19: the proposer proposes its valid value again, with the round of the polka', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    node.prevotes('A', 0, 0, 1, 2)
    expect(node.timeout('precommit', 0)).toEqual(['round 1', 'propose A 1 valid 0', 'timer propose 1'])
  })

  it('L20-L21: who is not the proposer schedules timeoutPropose', () => {
    expect(coreOf(1).work()).toEqual(['timer propose 0'])
  })

  it('L22-L24, L27: prevotes a new valid block, once', () => {
    const node = coreOf(1)
    expect(node.propose('A', 0)).toEqual(['validate A', 'timer propose 0'])
    expect(node.validated('A')).toEqual(['prevote A 0'])
    expect(node.core.state).toMatchObject({ step: 'prevote', lockedRound: -1, validRound: -1 })
    expect(node.timeout('propose', 0)).toEqual([])
  })

  it('L22, L25-L27: prevotes nil for an invalid block', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    expect(node.validated('A', false)).toEqual(['prevote nil 0'])
    expect(node.core.state).toMatchObject({ step: 'prevote' })
  })

  it('L22, PBTS: prevotes nil for a new block that is valid but not acceptable here', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    expect(node.validated('A', true, false)).toEqual(['prevote nil 0'])
    expect(node.prevotes('A', 0, 0, 2, 3)).toEqual(['precommit A 0'])
  })

  it('L23: a locked process, in the round after its lock', () => {
    expect(lockedOnA().core.state).toMatchObject({
      round: 1,
      lockedRound: 0,
      lockedValue: hashOf('A'),
      validRound: 0,
    })
  })

  it('L23: a locked process prevotes nil for another new block', () => {
    const node = lockedOnA()
    node.propose('B', 1)
    expect(node.validated('B')).toEqual(['prevote nil 1'])
  })

  it('L23: a locked process prevotes its locked block when it is proposed as new', () => {
    const node = lockedOnA()
    expect(node.propose('A', 1)).toEqual(['prevote A 1'])
  })

  it('L28-L30, L33: prevotes a re-proposed block once its polka is known, though unlocked', () => {
    const node = coreOf(3)
    node.timeout('precommit', 0)
    node.propose('B', 1, { validRound: 0 })
    expect(node.validated('B')).toEqual([])
    expect(node.prevotes('B', 0, 0, 1)).toEqual([])
    expect(node.prevotes('B', 0, 2)).toEqual(['prevote B 1'])
    expect(node.core.state).toMatchObject({ step: 'prevote' })
  })

  it('L29: a lock gives way to a polka of the same or a later round, not to an earlier one', () => {
    const later = lockedOnA()
    later.timeout('precommit', 1)
    later.prevotes('B', 1, 0, 1, 2)
    later.propose('B', 2, { validRound: 1 })
    expect(later.validated('B')).toEqual(['prevote B 2'])

    const earlier = coreOf(3)
    earlier.timeout('precommit', 0)
    earlier.propose('A', 1)
    earlier.validated('A')
    earlier.prevotes('A', 1, 0, 1, 3)
    earlier.timeout('precommit', 1)
    earlier.prevotes('B', 0, 0, 1, 2)
    earlier.propose('B', 2, { validRound: 0 })
    expect(earlier.validated('B')).toEqual(['prevote nil 2'])
  })

  it('L28: a valid round that is not before the round is no proposal', () => {
    const node = coreOf(3)
    node.timeout('precommit', 0)
    expect(node.propose('A', 1, { validRound: 1 })).toEqual([])
    expect(node.propose('A', 1, { validRound: -2 })).toEqual([])
  })

  it('L31-L33: prevotes nil for a re-proposed block that is invalid', () => {
    const node = coreOf(3)
    node.timeout('precommit', 0)
    node.prevotes('B', 0, 0, 1, 2)
    node.propose('B', 1, { validRound: 0 })
    expect(node.validated('B', false)).toEqual(['prevote nil 1'])
    expect(node.core.state).toMatchObject({ step: 'prevote' })
  })

  it('L34-L35: schedules timeoutPrevote once, when two thirds prevoted for whatever and this node has', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    expect(node.prevotes('A', 0, 0, 2)).toEqual([])
    expect(node.prevotes('nil', 0, 3)).toEqual([])
    expect(node.validated('A', true)).toEqual(['prevote A 0', 'timer prevote 0'])
    expect(node.prevotes('A', 0, 3)).toEqual(['equivocation nil A', 'precommit A 0'])
  })

  it('L36-L41: locks on a polka for a valid block and precommits it', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    expect(node.prevotes('A', 0, 0, 1, 2)).toEqual(['precommit A 0'])
    expect(node.core.state).toMatchObject({
      lockedRound: 0,
      validRound: 0,
      lockedValue: hashOf('A'),
      step: 'precommit',
    })
    expect(node.prevotes('A', 0, 3)).toEqual([])
  })

  it('L36: a polka waits for the proposal and for its validation', () => {
    const node = coreOf(1)
    node.timeout('propose', 0)
    expect(node.prevotes('A', 0, 0, 2, 3)).toEqual(['timer propose 0', 'timer prevote 0'])
    expect(node.propose('A', 0)).toEqual(['validate A'])
    expect(node.validated('A')).toEqual(['precommit A 0'])
  })

  it('L36, L42-L43: after the precommit a polka sets the valid value and no lock', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    node.prevotes('A', 0, 1)
    expect(node.timeout('prevote', 0)).toEqual(['precommit nil 0'])
    expect(node.prevotes('A', 0, 0, 2)).toEqual([])
    expect(node.core.state).toMatchObject({ lockedRound: -1, validRound: 0, validValue: hashOf('A') })
  })

  it('L44-L46: precommits nil on a nil polka', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    expect(node.prevotes('nil', 0, 0, 2, 3)).toEqual(['precommit nil 0'])
  })

  it('L47-L48: schedules timeoutPrecommit once, in any step, when two thirds precommitted for whatever', () => {
    const node = coreOf(1)
    expect(node.precommits('A', 0, 0, 2)).toEqual(['timer propose 0'])
    expect(node.precommits('nil', 0, 3)).toEqual(['timer precommit 0'])
    expect(node.precommits('nil', 0, 1)).toEqual([])
  })

  it('L49-L54: decides on two thirds of precommits, and is silent until the next height', () => {
    const node = coreOf(1)
    node.propose('A', 0)
    node.validated('A')
    expect(node.precommits('A', 0, 0, 2, 3)).toEqual(['decide A 0'])
    expect(node.timeout('propose', 0)).toEqual([])
    expect(node.precommits('nil', 0, 1)).toEqual([])
    expect(node.step({ type: 'start-height', height: height + 1, set })).toEqual(['round 0'])
    expect(node.core.state).toMatchObject({ height: height + 1, lockedRound: -1, validRound: -1, decided: false })
  })

  it('L21: the timeout follows from the parameters that the height was begun with', () => {
    const delays = (change: object) => {
      const core = createConsensusCore({ self: 1, parameters: defaultParameters })
      core.step({ type: 'start-height', height, set, parameters: { ...defaultParameters, ...change } })
      const outputs = core.step({ type: 'work-available', height })
      return outputs.flatMap(output => (output.type === 'schedule-timeout' ? [output.delayMs] : []))
    }
    expect(delays({})).toEqual([defaultParameters.proposeTimeoutMs])
    expect(delays({ proposeTimeoutMs: 77 })).toEqual([77])
  })

  it('L49: a decision waits for the block and its validation', () => {
    const node = coreOf(1)
    expect(node.precommits('A', 0, 0, 2, 3)).not.toContain('decide A 0')
    expect(node.propose('A', 0)).toEqual(['validate A'])
    expect(node.validated('A')).toEqual(['decide A 0'])
  })

  it('L49: a quorum for an invalid block breaks an invariant', () => {
    const node = coreOf(1)
    node.precommits('A', 0, 0, 2, 3)
    node.propose('A', 0)
    expect(() => node.validated('A', false)).toThrow(InvariantError)
  })

  it('L49: a quorum for a valid block is followed though it was not acceptable here', () => {
    const node = coreOf(1)
    node.precommits('A', 0, 0, 2, 3)
    node.propose('A', 0)
    expect(node.validated('A', true, false)).toEqual(['decide A 0'])
  })

  it('L55-L56: f+1 messages of a later round, of any kind, lead there', () => {
    const node = coreOf(0)
    expect(node.prevotes('A', 5, 2)).toEqual([])
    expect(node.propose('A', 5)).toEqual(['round 5', 'validate A', 'timer propose 5'])
  })

  it('L55: messages of one member, or of several rounds, do not lead there', () => {
    const node = coreOf(0)
    node.prevotes('A', 5, 2)
    expect(node.precommits('A', 5, 2)).toEqual([])
    expect(node.precommits('A', 6, 3)).toEqual([])
    expect(node.core.state).toMatchObject({ round: 0 })
  })

  it('L57-L60: timeoutPropose prevotes nil, in its own round and step only', () => {
    const node = coreOf(1)
    node.work()
    expect(node.timeout('propose', 1)).toEqual([])
    expect(node.timeout('propose', 0)).toEqual(['prevote nil 0'])
    expect(node.timeout('propose', 0)).toEqual([])
  })

  it('L61-L64: timeoutPrevote precommits nil, in its own round and step only', () => {
    const node = coreOf(1)
    expect(node.timeout('prevote', 0)).toEqual([])
    node.timeout('propose', 0)
    expect(node.timeout('prevote', 0)).toEqual(['precommit nil 0'])
    expect(node.timeout('prevote', 0)).toEqual([])
  })

  it('L65-L67: timeoutPrecommit starts the next round, from its own round only', () => {
    const node = coreOf(0)
    expect(node.timeout('precommit', 1)).toEqual([])
    expect(node.timeout('precommit', 0)).toEqual(['round 1', 'timer propose 1'])
    expect(node.timeout('precommit', 0)).toEqual([])
  })
})
