import { beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey, verifyAggregate } from '../../../base/crypto/bls.js'
import { uintToBytes } from '../../../base/primitives/bytes.js'
import type { BlockHash } from '../../../base/primitives/hashes.js'
import type { ConsensusMessage } from '../../../base/protocol/consensus-message.js'
import { setOfKeys } from '../../../base/protocol/sequencer-set.fixture.js'
import { type Vote, voteDigest } from '../../../base/protocol/vote.js'
import { inlineSignatureVerifier } from '../../../io/keys/signature-verifier.js'
import { VoteAggregator } from './vote-aggregator.js'
import { a, b, domain, height, keys, set, vote } from './votes.fixture.js'

let sent: ConsensusMessage[]
let verified: Vote[]
let forged: string[]
let checks: number[]
let later: (() => void)[]
let aggregator: VoteAggregator

beforeEach(() => {
  sent = []
  verified = []
  forged = []
  checks = []
  later = []
  aggregator = new VoteAggregator({
    verifier: {
      verify: async batch => {
        checks.push(batch.signed.length)
        return inlineSignatureVerifier.verify(batch)
      },
    },
    domain,
    later: (_delayMs, task) => later.push(task),
    broadcast: message => sent.push(message),
    onVerified: votes => verified.push(...votes),
    onForged: ({ member }, from) => forged.push(`${member} by ${from}`),
    onFailure: error => expect.fail(String(error)),
  })
  aggregator.startHeight(height, set)
})

const settled = () => new Promise<void>(resolve => setImmediate(resolve))
const windowEnds = async () => {
  for (const task of later.splice(0)) task()
  await settled()
}
const relay = (one: Vote, expected = 4) => aggregator.take({ vote: one, from: `peer-${one.member}` }, expected)
const own = (one: Vote, expected = 4) => aggregator.take({ vote: one, from: null }, expected)
const members = (votes: readonly Vote[]) => votes.map(({ member }) => member)
const sums = () => sent.flatMap(message => (message.kind === 'aggregate' ? [message.aggregate] : []))

describe('VoteAggregator', () => {
  it('sends one sum once the expected votes are there, its own unchecked, and passes on what it checked', async () => {
    relay(vote(4))
    own(vote(2))
    relay(vote(0))
    await settled()
    expect(sent).toEqual([])
    relay(vote(1))
    await settled()
    expect(checks).toEqual([3])
    expect(members(verified)).toEqual([4, 0, 1])
    const [{ votes, signature }] = sums() as [ReturnType<typeof sums>[number]]
    expect(members(votes)).toEqual([0, 1, 2, 4])
    const publicKeys = votes.map(({ member }) => set.members[member]!.publicKey)
    expect(verifyAggregate({ digest: voteDigest(domain, votes[0]!), keys: publicKeys, signature })).toBe(true)
    await windowEnds()
    expect(sent).toHaveLength(1)
  })

  it('sends what came when the window ends, and the late in another', async () => {
    relay(vote(0))
    relay(vote(1))
    await windowEnds()
    relay(vote(2))
    relay(vote(3))
    await windowEnds()
    expect(sums().map(({ votes }) => members(votes))).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  it('sends a vote that is alone as it is', async () => {
    relay(vote(3))
    await windowEnds()
    expect(sent).toEqual([{ kind: 'votes', votes: [vote(3)] }])
  })

  it('keeps values apart', async () => {
    for (const member of [0, 1]) relay(vote(member))
    for (const member of [2, 3]) relay(vote(member, { blockHash: b }))
    await windowEnds()
    expect(sums().map(({ votes }) => [votes[0]!.blockHash, ...members(votes)])).toEqual([
      [a, 0, 1],
      [b, 2, 3],
    ])
  })

  it('leaves out a forged vote, and blames who asked for it', async () => {
    relay(vote(0))
    relay(vote(1, {}, 6))
    own(vote(2))
    await windowEnds()
    expect(forged).toEqual(['1 by peer-1'])
    expect(sums().map(({ votes }) => members(votes))).toEqual([[0, 2]])
  })

  it('sends the votes themselves where the keys cancel out, since nobody takes the sum', async () => {
    const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n
    const cancelling = [99_999n, order - 99_999n].map(scalar => BlsSecretKey.fromBytes(uintToBytes(scalar, 32)))
    aggregator.startHeight(height, setOfKeys({ keys: [...keys, ...cancelling] }))
    const votes = cancelling.map((key, i) => {
      const { signature: _, ...content } = vote(0)
      return { ...content, member: 7 + i, signature: key.sign(voteDigest(domain, content)) }
    })
    for (const one of votes) relay(one)
    await windowEnds()
    expect(sent).toEqual([{ kind: 'votes', votes }])
    expect(members(verified)).toEqual([7, 8])
  })

  it('takes a vote of round 0 once, and two values of a member at most', async () => {
    for (let i = 0; i < 3; i++) relay(vote(0))
    await windowEnds()
    relay(vote(0))
    for (let i = 0; i < 50; i++) relay(vote(0, { blockHash: `0x${i.toString(16).padStart(64, 'd')}` as BlockHash }))
    relay({ ...vote(0), member: 7 })
    for (let round = 1; round < 50; round++) relay(vote(0, { round }))
    await windowEnds()
    expect(sent).toHaveLength(2)
  })

  it('tells others of the last votes of a height that is over, and this node not', async () => {
    relay(vote(0))
    aggregator.startHeight(height + 1, set)
    relay(vote(1))
    await windowEnds()
    expect(sums().map(({ votes }) => members(votes))).toEqual([[0, 1]])
    expect(verified).toEqual([])
    aggregator.startHeight(height + 2, set)
    relay(vote(2))
    await windowEnds()
    expect(sums()).toHaveLength(1)
  })
})
