import { describe, expect, it } from 'vitest'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import { precommit, prevote, type Vote, type VoteStep } from '../../base/protocol/vote.js'
import { hashOf, height, set } from './core.fixture.js'
import { type Finding, investigate } from './forensics.js'
import type { VerifiedMessages } from './signed-messages.js'
import { asVerified, type Verified } from './verified.js'

const signature = new Uint8Array(96)
const votes = (step: VoteStep, name: string, round: number, ...members: number[]): Verified<Vote>[] =>
  members.map(member =>
    asVerified({ height, round, step, blockHash: hashOf(name), member, signature, extension: new Uint8Array(0) }),
  )
const prevotes = (name: string, round: number, ...members: number[]) => votes(prevote, name, round, ...members)
const precommits = (name: string, round: number, ...members: number[]) => votes(precommit, name, round, ...members)
const certificate = (name: string, round: number, absent: bigint): Verified<QuorumCertificate> =>
  asVerified({ height, round, blockHash: hashOf(name), setId: 1, absent, signature })

function judge(messages: Partial<Omit<VerifiedMessages, 'votes'>> & { votes: Verified<Vote>[][] }, isComplete = true) {
  const { isFork, culprits, accused, power } = investigate({
    height,
    set,
    isComplete,
    messages: {
      aggregates: [],
      proposals: [],
      certificates: [],
      refused: 0,
      ...messages,
      votes: messages.votes.flat(),
    },
  })
  const words = ({ member, offence, round }: Finding) => `${member} ${offence} ${round}`
  return { isFork, culprits: culprits.map(words), accused: accused.map(words), power }
}

const nobody = { isFork: false, culprits: [], accused: [], power: 0n }

describe('a fork across rounds', () => {
  // A is decided in round 0 by 0, 2, 3; then 1, 2, 3 decide B in round 2.
  const decidedA = [prevotes('A', 0, 0, 2, 3), precommits('A', 0, 0, 2, 3)]
  const decidedB = [prevotes('B', 2, 1, 2, 3), precommits('B', 2, 1, 2, 3)]

  it('names who precommitted A and then prevoted B', () => {
    const report = judge({ votes: [...decidedA, ...decidedB] })
    expect(report).toEqual({ isFork: true, culprits: ['2 amnesia 2', '3 amnesia 2'], accused: [], power: 2n })
  })

  it('accuses them only, when something may be missing', () => {
    const report = judge({ votes: [...decidedA, ...decidedB] }, false)
    expect(report).toEqual({ isFork: true, culprits: [], accused: ['2 amnesia 2', '3 amnesia 2'], power: 0n })
  })

  it('is not theirs when a polka for B lies between: then it is theirs who made that polka', () => {
    const between = prevotes('B', 1, 1, 2, 3)
    const report = judge({ votes: [...decidedA, between, ...decidedB] })
    expect(report.culprits).toEqual(['2 amnesia 1', '3 amnesia 1'])
  })

  it('is theirs who prevoted twice when B had its polka in the round of A', () => {
    const report = judge({ votes: [...decidedA, prevotes('B', 0, 1, 2, 3), ...decidedB] })
    expect(report.culprits).toEqual(['2 double-vote 0', '3 double-vote 0'])
  })

  it('is theirs who precommitted B when nobody saw a polka for it', () => {
    const report = judge({ votes: [...decidedA, precommits('B', 2, 1, 2, 3)] })
    expect(report.culprits).toEqual([
      '1 unjustified-precommit 2',
      '2 unjustified-precommit 2',
      '3 unjustified-precommit 2',
    ])
  })

  it('shows in certificates too', () => {
    const certificates = [certificate('A', 0, 0b0010n), certificate('B', 2, 0b0001n)]
    const report = judge({ votes: [prevotes('A', 0, 0, 2, 3), prevotes('B', 2, 1, 2, 3)], certificates })
    expect(report.culprits).toEqual(['2 amnesia 2', '3 amnesia 2'])
  })
})

describe('a fork in one round', () => {
  it('names who signed both certificates, without any vote at hand', () => {
    const report = judge(
      { votes: [], certificates: [certificate('A', 0, 0b0010n), certificate('B', 0, 0b0001n)] },
      false,
    )
    expect(report.isFork).toBe(true)
    expect(report.culprits).toEqual(['2 double-vote 0', '3 double-vote 0'])
  })
})

describe('nobody is named', () => {
  it('who unlocks on a polka of his locked round or later, or goes back to the block he locked before', () => {
    expect(
      judge({
        votes: [
          prevotes('A', 0, 0, 1, 3),
          precommits('A', 0, 3),
          prevotes('B', 1, 0, 1, 2),
          prevotes('B', 2, 0, 1, 2, 3),
          precommits('B', 2, 3),
          prevotes('A', 3, 0, 1, 2),
          prevotes('A', 4, 3),
        ],
      }),
    ).toEqual(nobody)
  })

  it('for nil, whatever he locked', () => {
    expect(judge({ votes: [prevotes('A', 0, 0, 1, 3), precommits('A', 0, 3), prevotes('nil', 1, 3)] })).toEqual(nobody)
  })

  it('for a prevote that came before his precommit', () => {
    expect(judge({ votes: [prevotes('B', 0, 3), prevotes('A', 1, 0, 1, 3), precommits('A', 1, 3)] })).toEqual(nobody)
  })

  it('without a fork, for what may be missing', () => {
    expect(judge({ votes: [precommits('A', 0, 0, 1, 2), prevotes('B', 1, 0)] }, false)).toEqual(nobody)
  })
})

it('to stay with the block that one precommitted is no amnesia, even when it had no polka', () => {
  const report = judge({ votes: [precommits('A', 0, 3), prevotes('A', 1, 3)] })
  expect(report.culprits).toEqual(['3 unjustified-precommit 0'])
})

it('amnesia is measured from the last precommit of another block', () => {
  const report = judge({
    votes: [
      prevotes('A', 0, 0, 1, 3),
      precommits('A', 0, 3),
      prevotes('B', 1, 0, 1, 2),
      precommits('B', 1, 3),
      prevotes('A', 2, 3),
    ],
  })
  expect(report.culprits).toEqual(['3 amnesia 2'])
})
