import { describe, expect, it } from 'vitest'
import type { BlockHash } from '../../base/primitives/hashes.js'
import { precommit, prevote, type VoteStep } from '../../base/protocol/vote.js'
import { hashOf, setOf } from './core.fixture.js'
import { asVerified } from './verified.js'
import { VoteKeeper } from './vote-keeper.js'

const set = setOf([1n, 2n, 3n, 3n])
const voteOf = (member: number, name: string) =>
  asVerified({
    height: 1,
    round: 0,
    step: prevote,
    blockHash: hashOf(name),
    member,
    signature: new Uint8Array(96),
    extension: new Uint8Array(0),
  })
const keeperOf = (...proposed: string[]) => new VoteKeeper(set, hash => proposed.map(hashOf).includes(hash))

describe('VoteKeeper', () => {
  it('counts power, not members, and once', () => {
    const keeper = keeperOf('A')
    for (const member of [2, 3, 3]) expect(keeper.add(voteOf(member, 'A'))).toBeNull()
    expect(keeper.power).toBe(6n)
    expect(keeper.quorumBlock).toBeNull()
    expect(keeper.hasQuorum).toBe(false)
    keeper.add(voteOf(0, 'A'))
    expect(keeper.quorumBlock).toBe(hashOf('A'))
    expect(keeper.hasQuorumFor(hashOf('A'))).toBe(true)
    expect(keeper.signaturesFor(hashOf('A')).votes.map(vote => vote.member)).toEqual([2, 3, 0])
  })

  it('has a quorum for whatever, and one for nil that is no block', () => {
    const keeper = keeperOf()
    keeper.add(voteOf(2, 'nil'))
    keeper.add(voteOf(3, 'B'))
    keeper.add(voteOf(1, 'nil'))
    expect(keeper.hasQuorum).toBe(true)
    expect(keeper.hasQuorumFor(hashOf('nil'))).toBe(false)
    keeper.add(voteOf(0, 'nil'))
    keeper.add(voteOf(3, 'nil'))
    expect(keeper.hasQuorumFor(hashOf('nil'))).toBe(true)
    expect(keeper.quorumBlock).toBeNull()
  })

  it('knows when no block can get a quorum any more', () => {
    const keeper = keeperOf()
    keeper.add(voteOf(2, 'nil'))
    expect(keeper.canReachBlock).toBe(false)
    const other = keeperOf()
    other.add(voteOf(1, 'nil'))
    other.add(voteOf(3, 'A'))
    expect(other.canReachBlock).toBe(true)
    other.add(voteOf(0, 'B'))
    expect(other.canReachBlock).toBe(false)
  })

  it('names the first of two contradicting votes, once', () => {
    const keeper = keeperOf()
    const first = voteOf(1, 'A')
    keeper.add(first)
    expect(keeper.add(voteOf(1, 'B'))).toBe(first)
    expect(keeper.add(voteOf(1, 'B'))).toBeNull()
    expect(keeper.add(voteOf(1, 'nil'))).toBeNull()
    expect(keeper.power).toBe(2n)
  })

  it('counts a second vote for nil, for a proposed block, for one of more than a third, and no other', () => {
    const keeper = keeperOf('A')
    for (const name of ['X', 'Y', 'A', 'nil']) keeper.add(voteOf(0, name))
    expect(keeper.signatures(null).votes.map(vote => vote.blockHash)).toEqual(['X', 'A', 'nil'].map(hashOf))
    keeper.add(voteOf(2, 'Y'))
    keeper.add(voteOf(0, 'Y'))
    expect(keeper.signaturesFor(hashOf('Y')).votes).toHaveLength(1)
    keeper.add(voteOf(1, 'Y'))
    keeper.add(voteOf(0, 'Y'))
    expect(keeper.signaturesFor(hashOf('Y')).votes).toHaveLength(3)
  })

  it('stays small under a member that votes for everything', () => {
    const keeper = keeperOf()
    for (let i = 0; i < 1_000; i++)
      keeper.add({ ...voteOf(0, 'A'), blockHash: `0x${i.toString(16).padStart(64, '1')}` as BlockHash })
    expect(keeper.signatures(null).votes).toHaveLength(1)
  })
})

describe('VoteKeeper of aggregates', () => {
  const aggregateOf = (name: string, ...members: number[]) => sumOf(prevote, name, ...members)
  const sumOf = (step: VoteStep, name: string, ...members: number[]) =>
    asVerified({ votes: members.map(member => ({ ...voteOf(member, name), step })), signature: new Uint8Array(96) })

  it('counts their members beside single votes, each once', () => {
    const keeper = keeperOf()
    keeper.add(voteOf(1, 'A'))
    expect(keeper.addAggregate(aggregateOf('A', 1, 3))).toEqual([])
    keeper.add(voteOf(3, 'A'))
    expect(keeper.power).toBe(5n)
    expect(keeper.quorumBlock).toBeNull()
    keeper.add(voteOf(2, 'A'))
    expect(keeper.quorumBlock).toBe(hashOf('A'))
    const { votes, aggregates } = keeper.signaturesFor(hashOf('A'))
    expect(votes.map(({ member }) => member)).toEqual([2])
    expect(aggregates.map(({ votes: of }) => of.map(({ member }) => member))).toEqual([[1, 3]])
  })

  it('counts nothing of one of precommits that shares a member with another, since their signatures do not add up', () => {
    const keeper = keeperOf()
    keeper.addAggregate(sumOf(precommit, 'A', 0, 1))
    expect(keeper.addAggregate(sumOf(precommit, 'A', 1, 2, 3))).toEqual([])
    expect(keeper.power).toBe(3n)
    keeper.addAggregate(sumOf(precommit, 'A', 2, 3))
    expect(keeper.quorumBlock).toBe(hashOf('A'))
    expect(keeper.signaturesFor(hashOf('A')).aggregates).toHaveLength(2)
  })

  it('counts one of prevotes that shares a member with another if it adds one, each member once, and passes both on', () => {
    const keeper = keeperOf()
    keeper.addAggregate(aggregateOf('A', 0, 1))
    keeper.addAggregate(aggregateOf('A', 1, 2))
    expect(keeper.power).toBe(6n)
    keeper.addAggregate(aggregateOf('A', 0, 2))
    expect(keeper.quorumBlock).toBeNull()
    keeper.addAggregate(aggregateOf('A', 2, 3))
    expect(keeper.quorumBlock).toBe(hashOf('A'))
    expect(keeper.signatures(null).aggregates.map(({ votes }) => votes.map(({ member }) => member))).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ])
  })

  it('passes on a single vote of its own beside the sum that has it', () => {
    const keeper = keeperOf()
    keeper.add(voteOf(1, 'A'))
    keeper.add(voteOf(2, 'A'))
    keeper.addAggregate(aggregateOf('A', 1, 2))
    expect(keeper.signatures(2).votes.map(({ member }) => member)).toEqual([2])
    expect(keeper.signatures(null).votes).toEqual([])
  })

  it('keeps a single vote of its own that comes after the sum that has it', () => {
    const keeper = keeperOf()
    keeper.addAggregate(aggregateOf('A', 1, 2))
    keeper.add(voteOf(1, 'A'))
    keeper.add(voteOf(2, 'A'))
    expect(keeper.power).toBe(5n)
    expect(keeper.signatures(2).votes.map(({ member }) => member)).toEqual([2])
    expect(keeper.signatures(null).votes).toEqual([])
    expect(keeper.signaturesFor(hashOf('A')).votes).toEqual([])
  })

  it('counts all of one for another value, and names every member that it convicts, once', () => {
    const keeper = keeperOf()
    keeper.add(voteOf(1, 'nil'))
    keeper.addAggregate(aggregateOf('A', 2, 3))
    const contradictions = keeper.addAggregate(aggregateOf('B', 1, 2, 3))
    expect(contradictions.map(([first, second]) => [first.member, first.blockHash, second.blockHash])).toEqual([
      [1, hashOf('nil'), hashOf('B')],
      [2, hashOf('A'), hashOf('B')],
      [3, hashOf('A'), hashOf('B')],
    ])
    expect(keeper.add(voteOf(3, 'B'))).toBeNull()
    expect(keeper.quorumBlock).toBe(hashOf('B'))
    expect(keeper.power).toBe(8n)
  })
})
