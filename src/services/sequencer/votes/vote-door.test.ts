import { beforeEach, describe, expect, it } from 'vitest'
import { type BlockHash, zeroHash } from '../../../base/primitives/hashes.js'
import { devnetParameters } from '../../../base/protocol/protocol-parameters.js'
import { precommit, type Vote } from '../../../base/protocol/vote.js'
import type { VoteAggregate } from '../../../base/protocol/vote-aggregate.js'
import { inlineSignatureVerifier, type SignatureVerifier } from '../../../io/keys/signature-verifier.js'
import { createConsensusCore } from '../../../rules/consensus/core.js'
import type { Verified } from '../../../rules/consensus/verified.js'
import { type Bearer, VoteDoor } from './vote-door.js'
import { a, aggregate, b, domain, height, set, vote } from './votes.fixture.js'

let sums: number[]
let verifications: number[]
let passed: Vote[]
let aggregates: VoteAggregate[]
let forged: string[]
let lacking: number[]
let door: VoteDoor
let hold: Promise<void> | null

beforeEach(() => {
  sums = []
  verifications = []
  passed = []
  aggregates = []
  forged = []
  lacking = []
  hold = null
  const core = createConsensusCore({ self: null, parameters: devnetParameters })
  core.step({ type: 'start-height', height, set })
  const verifier: Pick<SignatureVerifier, 'verify' | 'sum'> = {
    async sum(batch) {
      sums.push(batch.signed.length)
      await hold
      return inlineSignatureVerifier.sum(batch)
    },
    async verify(batch) {
      verifications.push(batch.signed.length)
      await hold
      return inlineSignatureVerifier.verify(batch)
    },
  }
  const ports = {
    verifier,
    domain,
    onVerified: (votes: Verified<Vote>[]) => {
      passed.push(...votes)
      core.step({ type: 'votes', votes })
    },
    onAggregate: (aggregate: Verified<VoteAggregate>) => {
      aggregates.push(aggregate)
      core.step({ type: 'aggregate', aggregate })
    },
    counted: { ...core, lacks: (one: Vote) => lacking.includes(one.member) || core.lacks(one) },
    onForged: (one: Vote, from: string) => forged.push(`${one.member} by ${from}`),
    onFailure: (error: unknown) => expect.fail(String(error)),
  }
  door = new VoteDoor(ports, set, height)
})

/** A peer by its name; those who speak for a member of the set have its index as their last digit. */
const by = (id: string): Bearer => ({ id, member: /\d$/.test(id) ? Number(id.at(-1)) : 100 + id.length })
const settled = () => new Promise<void>(resolve => setImmediate(resolve))
const members = () => [...passed, ...aggregates.flatMap(({ votes }) => votes)].map(({ member }) => member).sort()
/** Each vote by the peer of its own member. */
function take(...votes: Vote[]): void {
  for (const one of votes) door.take(one, by(`peer-${one.member}`), 0)
}

describe('an honest step', () => {
  it('is verified once, by its sum, when a quorum is there', async () => {
    take(vote(0), vote(1), vote(2), vote(3))
    await settled()
    expect(sums).toEqual([])
    take(vote(4))
    await settled()
    expect(sums).toEqual([5])
    expect(verifications).toEqual([])
    expect(aggregates).toEqual([aggregate([0, 1, 2, 3, 4])])
    expect(passed).toEqual([])
  })

  it('counts own votes without a check', async () => {
    door.countChecked(vote(6), 0)
    take(vote(0), vote(1), vote(2), vote(3))
    await settled()
    expect(sums).toEqual([4])
    expect(members()).toEqual([0, 1, 2, 3])
  })

  it('does not check what comes when the value has its quorum, or while that is found out', async () => {
    take(vote(0), vote(1), vote(2), vote(3), vote(4), vote(5))
    await settled()
    take(vote(6))
    await settled()
    expect(sums).toEqual([5])
    expect(verifications).toEqual([])
  })

  it('checks together what came while a check was under way that found no quorum', async () => {
    take(vote(0), vote(1), vote(2), vote(3, { blockHash: b }), vote(4, { blockHash: b }), vote(5), vote(6))
    await settled()
    expect(sums).toEqual([3, 2, 2])
    expect(members()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('is verified value by value', async () => {
    take(vote(0), vote(1), vote(2), vote(3, { blockHash: b }), vote(4, { blockHash: b }))
    await settled()
    expect(sums).toEqual([3, 2])
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('of a later round is verified vote by vote: a sum would not help those who are behind', async () => {
    for (const member of [0, 1, 2, 3, 4]) door.take(vote(member, { round: 1 }), by(`peer-${member}`), 1)
    await settled()
    expect(sums).toEqual([])
    expect(verifications).toEqual([5])
    expect(passed).toHaveLength(5)
  })

  it('is verified vote by vote where a member says two things, so that each can be shown', async () => {
    take(vote(0), vote(4, { blockHash: b }), vote(4), vote(1), vote(2), vote(3))
    await settled()
    expect(sums).toEqual([])
    expect([...verifications].sort()).toEqual([1, 5])
    expect(passed).toHaveLength(6)
  })

  it('of a later round is verified when one third is there', async () => {
    take(vote(0, { round: 1 }), vote(1, { round: 1 }))
    await settled()
    expect(verifications).toEqual([])
    take(vote(2, { round: 1 }))
    await settled()
    expect(verifications).toEqual([3])
  })

  it('passes a repeated vote once', async () => {
    take(vote(0), vote(0), vote(1), vote(2), vote(3), vote(4))
    for (const one of [0, 1, 2, 3, 4]) door.take(vote(one), by('helper'), 0)
    await settled()
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('ignores other heights and members that do not exist', async () => {
    take(...[0, 1, 2, 3, 4].map(member => vote(member, { height: 6 })))
    door.take({ ...vote(0), member: 7 }, by('peer'), 0)
    await settled()
    expect(verifications).toEqual([])
  })

  it('passes both votes of an equivocating member', async () => {
    take(vote(0), vote(0, { blockHash: b }), vote(1), vote(2), vote(3), vote(4))
    await settled()
    expect(passed.filter(({ member }) => member === 0).map(({ blockHash }) => blockHash)).toEqual([a, b])
  })
})

describe('forged votes', () => {
  it('that cancel out stand for nothing but their sum', async () => {
    // Each of two members signs in the other's place: neither vote holds, their sum does.
    take(vote(0), vote(1), vote(2), vote(3, {}, 4), vote(4, {}, 3))
    await settled()
    expect(passed).toEqual([])
    expect(aggregates.map(({ signature }) => signature)).toEqual([aggregate([0, 1, 2, 3, 4]).signature])
    expect(forged).toEqual([])
  })

  it('are blamed on the peer that brought them, and true votes beside them pass', async () => {
    take(vote(0), vote(1), vote(2), vote(3))
    door.take(vote(4, {}, 6), by('forger'), 0)
    await settled()
    expect(forged).toEqual(['4 by forger'])
    expect(members()).toEqual([0, 1, 2, 3])
  })

  it.each([
    ['for the same value', [a]],
    ['for two other values', [b, `0x${'cc'.repeat(32)}` as BlockHash]],
  ])('%s do not shut out the true vote that comes while they wait', async (_what, values) => {
    for (const blockHash of values) door.take(vote(4, { blockHash }, 6), by('forger'), 0)
    take(vote(4), vote(0), vote(1), vote(2), vote(3))
    await settled()
    expect(members()).toEqual([0, 1, 2, 3, 4])
    expect(new Set(forged)).toEqual(new Set(['4 by forger']))
  })

  it('do not shut out the true vote that comes while they are checked', async () => {
    let release = () => {}
    hold = new Promise(resolve => {
      release = resolve
    })
    take(vote(0), vote(1), vote(2), vote(3))
    door.take(vote(4, {}, 6), by('forger'), 0)
    take(vote(4))
    release()
    await settled()
    await settled()
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('lose their power, so that the votes after them are again checked together', async () => {
    for (const member of [0, 1, 2, 3, 4]) door.take(vote(member, {}, 6), by('forger'), 0)
    await settled()
    expect(forged).toEqual(['0 by forger'])
    take(vote(0), vote(1), vote(2), vote(3), vote(4))
    await settled()
    expect(verifications).toEqual([5])
    expect(sums).toEqual([5, 5])
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('of one bearer cost one failed check, whatever it brings besides, and it is heard no more at this height', async () => {
    const forger = by('forger')
    const values = [a, b]
    for (const round of [0, 1, 2])
      for (const blockHash of values)
        for (let member = 0; member < 7; member++) door.take(vote(member, { round, blockHash }, 6), forger, 0)
    await settled()
    await settled()
    const failed = sums.length + verifications.length
    expect(failed).toBeLessThanOrEqual(2)
    expect(forged).toHaveLength(1)
    for (let member = 0; member < 5; member++) door.take(vote(member, { step: precommit }, 6), forger, 0)
    await settled()
    expect(sums.length + verifications.length).toBe(failed)
    take(vote(0), vote(1), vote(2), vote(3), vote(4))
    await settled()
    expect(members()).toEqual([0, 1, 2, 3, 4])
    door.startHeight(height + 1, set)
    for (let member = 0; member < 5; member++) door.take(vote(member, { height: height + 1 }), forger, 0)
    await settled()
    expect(sums.length + verifications.length).toBeGreaterThan(failed + 1)
  })

  it('of far rounds are kept of few, and do not shut out the true ones of others', async () => {
    for (let round = 100; round < 200; round++)
      for (const m of [0, 1]) door.take(vote(m, { round }, 6), by('forger'), 0)
    door.take(vote(2, { round: 150 }, 6), by('forger'), 0)
    await settled()
    expect(verifications).toEqual([])
    take(...[0, 1, 2].map(member => vote(member, { round: 500 })))
    await settled()
    expect(members()).toEqual([0, 1, 2])
  })
})

it('lets a verified vote in again that the core dropped and would count now', async () => {
  take(vote(0), vote(1), vote(2), vote(3), vote(4, { blockHash: b }), vote(4))
  await settled()
  await settled()
  const before = passed.length
  door.take(vote(4, { blockHash: b }), by('helper'), 0)
  await settled()
  expect(passed).toHaveLength(before)
  lacking = [4]
  door.take(vote(4, { blockHash: b }), by('helper'), 0)
  await settled()
  expect(passed.slice(before)).toEqual([vote(4, { blockHash: b })])
})

it('does not put aside a vote for a value that has its quorum here but not in the core', async () => {
  // The core drops a second vote for a value that nobody proposed.
  take(vote(5, { blockHash: b }), vote(6, { blockHash: b }), vote(5), vote(6), vote(0), vote(1))
  await settled()
  take(vote(2))
  await settled()
  take(vote(3), vote(4))
  await settled()
  expect(members()).toEqual(expect.arrayContaining([0, 1, 2, 3, 4]))
})

it('takes any value of a member that may win, however many others came before', async () => {
  const junk = ['c', 'd'].map(digit => `0x${digit.repeat(64)}` as BlockHash)
  for (const blockHash of junk) door.take(vote(6, { blockHash }), by('helper-0'), 0)
  take(vote(0), vote(1), vote(2), vote(3))
  await settled()
  await settled()
  door.take(vote(6), by('helper-0'), 0)
  await settled()
  await settled()
  expect(passed.concat(aggregates.flatMap(({ votes }) => votes))).toContainEqual(vote(6))
})

it('forgets everything when a height begins, also what is being checked', async () => {
  take(vote(0), vote(1), vote(2), vote(3), vote(4))
  door.startHeight(6, set)
  await settled()
  expect(passed).toEqual([])
  take(...[0, 1, 2, 3, 4].map(member => vote(member, { height: 6 })))
  await settled()
  expect(members()).toEqual([0, 1, 2, 3, 4])
})

it('checks a vote that nothing needed once its member is seen to say something else', async () => {
  take(vote(0), vote(1), vote(2), vote(3), vote(4))
  await settled()
  take(vote(5))
  await settled()
  expect(members()).toEqual([0, 1, 2, 3, 4])
  take(vote(5, { blockHash: b }))
  await settled()
  expect(passed.map(({ member, blockHash }) => [member, blockHash])).toEqual([
    [5, a],
    [5, b],
  ])
})

describe('aggregates', () => {
  const takeAggregate = (one: VoteAggregate, from = 'aggregator', round = 0) => door.takeAggregate(one, by(from), round)
  const passedMembers = () => aggregates.map(({ votes }) => votes.map(({ member }) => member))

  it('are checked as one signature each, together with single votes, when a quorum is there', async () => {
    takeAggregate(aggregate([0, 1]))
    take(vote(2))
    await settled()
    expect(verifications).toEqual([])
    takeAggregate(aggregate([3, 4]), 'other')
    await settled()
    expect(verifications).toEqual([3])
    expect(passedMembers()).toEqual([
      [0, 1],
      [3, 4],
    ])
    expect(passed.map(({ member }) => member)).toEqual([2])
    for (const member of [0, 1, 3, 4]) expect(door.isKnown(vote(member))).toBe(true)
  })

  it('pass once, whoever brings them, and add nothing to a value that has its quorum', async () => {
    for (const from of ['one', 'two', 'one']) takeAggregate(aggregate([0, 1, 2]), from)
    takeAggregate(aggregate([3, 4]))
    await settled()
    takeAggregate(aggregate([5, 6]))
    await settled()
    expect(verifications).toEqual([2])
    expect(passedMembers()).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
  })

  it('of precommits that share a member are not both passed: what the second lacks is checked without it', async () => {
    takeAggregate(aggregate([0, 1, 2], { step: precommit }), 'one')
    takeAggregate(aggregate([2, 3, 4], { step: precommit }), 'two')
    await settled()
    await settled()
    expect(verifications).toEqual([2])
    expect(sums).toEqual([2])
    expect(passedMembers()).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
    expect(forged).toEqual([])
  })

  it('of prevotes that share a member are both passed when they add one, whatever they claim', async () => {
    takeAggregate(aggregate([0, 1, 2]), 'one')
    const { votes, signature } = aggregate([2, 3, 4])
    takeAggregate({ votes: votes.map(one => ({ ...one, signature: vote(6).signature })), signature }, 'two')
    await settled()
    expect(passedMembers()).toEqual([
      [0, 1, 2],
      [2, 3, 4],
    ])
    expect(forged).toEqual([])
  })

  it('with a false sum are blamed on the bearer, and the true votes in them count', async () => {
    takeAggregate({ ...aggregate([0, 1, 2]), signature: vote(5).signature }, 'forger')
    take(vote(3), vote(4))
    await settled()
    await settled()
    expect(forged).toEqual(['0 by forger'])
    expect(passedMembers()).toEqual([[0, 1, 2]])
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('with a true sum hold whatever single votes they claim, and nobody is blamed for these', async () => {
    const { votes, signature } = aggregate([2, 3, 4])
    const claiming = { votes: votes.map(one => ({ ...one, signature: vote(6).signature })), signature }
    takeAggregate(aggregate([0, 1]), 'one')
    takeAggregate(claiming, 'two')
    await settled()
    expect(passedMembers()).toEqual([
      [0, 1],
      [2, 3, 4],
    ])
    takeAggregate(aggregate([4, 5], { blockHash: b }), 'three')
    takeAggregate({ ...claiming, votes: claiming.votes.map(one => ({ ...one, blockHash: b })) }, 'liar')
    await settled()
    await settled()
    expect(forged).toEqual(['2 by liar'])
  })

  it('that nothing needed are checked once one of their members is seen to say something else', async () => {
    takeAggregate(aggregate([0, 1, 2]))
    takeAggregate(aggregate([3, 4]))
    await settled()
    takeAggregate(aggregate([5, 6]))
    take(vote(6, { blockHash: b }))
    await settled()
    expect(passedMembers().at(-1)).toEqual([5, 6])
    expect(passed.map(({ member, blockHash }) => [member, blockHash])).toEqual([[6, b]])
  })

  it('of rounds ahead, other heights and members that do not exist are ignored', async () => {
    takeAggregate(aggregate([0, 1, 2, 3, 4], { round: 1 }))
    takeAggregate(aggregate([0, 1, 2, 3, 4], { height: 6 }))
    const { votes, signature } = aggregate([0, 1, 2, 3])
    takeAggregate({ votes: [...votes, { ...vote(4), member: 7 }], signature })
    await settled()
    expect(verifications).toEqual([])
  })

  it('of one peer are kept as far as two values of each member', async () => {
    for (let i = 0; i < 100; i++) {
      const blockHash = `0x${i.toString(16).padStart(64, 'c')}` as BlockHash
      takeAggregate({ votes: [vote(0, { blockHash }), vote(1, { blockHash })], signature: vote(6).signature }, 'forger')
    }
    for (const blockHash of [a, b]) takeAggregate(aggregate([0, 1], { blockHash }), 'other')
    takeAggregate(aggregate([2, 3, 4]), 'other')
    await settled()
    await settled()
    expect(verifications.reduce((sum, count) => sum + count, 0)).toBeLessThan(40)
    expect(passedMembers()).toContainEqual([2, 3, 4])
  })

  it('that a forger brought are taken of another, though they were thrown away unchecked', async () => {
    door.take(vote(5, { blockHash: b }, 6), by('forger-5'), 0)
    takeAggregate(aggregate([0, 1, 2, 5, 6]), 'forger-5')
    await settled()
    expect(forged).toEqual(['5 by forger-5'])
    expect(passedMembers()).toEqual([])
    takeAggregate(aggregate([0, 1, 2, 5, 6]), 'helper-0')
    await settled()
    expect(passedMembers()).toEqual([[0, 1, 2, 5, 6]])
  })

  it('that wait twice are checked once, and still if the first bearer is shut out', async () => {
    door.take(vote(5, { blockHash: b }, 6), by('forger-5'), 0)
    take(...[2, 3, 4].map(member => vote(member, { blockHash: zeroHash })))
    for (const from of ['forger-5', 'helper-0', 'helper-1']) takeAggregate(aggregate([0, 1]), from)
    await settled()
    await settled()
    expect(forged).toEqual(['5 by forger-5'])
    expect(passedMembers().filter(one => one.includes(0))).toEqual([[0, 1]])
    expect(verifications).toEqual([1, 1])
  })

  it('that were dropped as adding nothing are taken again when the core lacks their votes', async () => {
    take(...[3, 4, 5, 6].map(member => vote(member, { blockHash: zeroHash })), vote(0))
    await settled()
    // Second votes for a value that nobody proposed: verified, and not counted.
    take(vote(5), vote(6))
    await settled()
    take(vote(1))
    takeAggregate(aggregate([0, 1, 5, 6]), 'helper-0')
    await settled()
    expect(members().filter(member => member === 1)).toHaveLength(1)
    take(vote(2))
    await settled()
    takeAggregate(aggregate([0, 1, 5, 6]), 'helper-0')
    await settled()
    expect(passedMembers()).toContainEqual([0, 1, 5, 6])
  })

  it('that may make a polka are taken of a peer that brought two values of each member, one at a time', async () => {
    for (let i = 1; i <= 7; i++)
      takeAggregate(aggregate([5, 6], { blockHash: `0x${`c${i}`.repeat(32)}` as BlockHash }), 'helper-0')
    const sums = [
      [0, 5],
      [1, 5, 6],
    ]
    const helps = async () => {
      for (const one of sums) takeAggregate(aggregate(one), 'helper-0')
      await settled()
      return passedMembers().filter(one => sums.some(sum => String(sum) === String(one)))
    }
    take(vote(0), vote(1), vote(3, { blockHash: zeroHash }), vote(4, { blockHash: zeroHash }))
    await settled()
    expect(await helps()).toEqual([])
    take(vote(2))
    await settled()
    expect(await helps()).toEqual([[0, 5]])
    expect(await helps()).toEqual(sums)
  })

  it('of one peer for nil are kept as far as two values of each member too, while they wait', async () => {
    for (let i = 1; i < 2 ** 7; i++) {
      const some = [0, 1, 2, 3, 4, 5, 6].filter(member => i & (1 << member))
      const content = { blockHash: zeroHash, step: precommit }
      if (some.length < 4 && some.length > 1) takeAggregate(aggregate(some, content), 'flooder')
    }
    await settled()
    await settled()
    expect(verifications.reduce((sum, count) => sum + count, 0)).toBeLessThan(10)
  })

  it('of precommits from the log count, and share no member with those that come', async () => {
    door.countCheckedAggregate(aggregate([0, 1], { step: precommit }), 0)
    takeAggregate(aggregate([1, 2, 3], { step: precommit }))
    take(vote(4, { step: precommit }))
    await settled()
    await settled()
    expect(passedMembers()).toEqual([[2, 3]])
    expect(members()).toEqual([2, 3, 4])
  })
})
