import { beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import type { BlockHash } from '../../base/primitives/hashes.js'
import { setOfKeys } from '../../base/protocol/sequencer-set.fixture.js'
import { prevote, type Vote, type VoteContent, voteDigest } from '../../base/protocol/vote.js'
import { inlineSignatureVerifier, type SignatureVerifier } from '../../io/keys/signature-verifier.js'
import { VoteDoor } from './vote-door.js'

const domain = { l1ChainId: 31_337, rollup: `0x${'12'.repeat(20)}` as const }
const keys = Array.from({ length: 7 }, (_, i) => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i + 1)))
const set = setOfKeys({ keys })
const a = `0x${'aa'.repeat(32)}` as const
const b = `0x${'bb'.repeat(32)}` as const
const height = 5

function vote(member: number, change: Partial<VoteContent> = {}, signer = member): Vote {
  const content = { height, round: 0, step: prevote, blockHash: a, ...change }
  return {
    ...content,
    member,
    signature: keys[signer]!.sign(voteDigest(domain, content)),
    extension: new Uint8Array(0),
  }
}

let verifications: number[]
let passed: Vote[]
let forged: string[]
let door: VoteDoor
let hold: Promise<void> | null

beforeEach(() => {
  verifications = []
  passed = []
  forged = []
  hold = null
  const verifier: Pick<SignatureVerifier, 'verify'> = {
    async verify(batch) {
      verifications.push(batch.signed.length)
      await hold
      return inlineSignatureVerifier.verify(batch)
    },
  }
  const ports = {
    verifier,
    domain,
    onVerified: (votes: Vote[]) => passed.push(...votes),
    onForged: (one: Vote, from: string) => forged.push(`${one.member} by ${from}`),
    onFailure: (error: unknown) => expect.fail(String(error)),
  }
  door = new VoteDoor(ports, set, height)
})

const settled = () => new Promise<void>(resolve => setImmediate(resolve))
const members = () => passed.map(({ member }) => member).sort()
/** Each vote by the peer of its own member. */
function take(...votes: Vote[]): void {
  for (const one of votes) door.take(one, `peer-${one.member}`, 0)
}

describe('an honest step', () => {
  it('is verified once, when a quorum is there', async () => {
    take(vote(0), vote(1), vote(2), vote(3))
    await settled()
    expect(verifications).toEqual([])
    take(vote(4))
    await settled()
    expect(verifications).toEqual([5])
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('counts own votes without a check', async () => {
    door.countChecked(vote(6), 0)
    take(vote(0), vote(1), vote(2), vote(3))
    await settled()
    expect(verifications).toEqual([4])
    expect(members()).toEqual([0, 1, 2, 3])
  })

  it('does not check what comes when the value has its quorum, or while that is found out', async () => {
    take(vote(0), vote(1), vote(2), vote(3), vote(4), vote(5))
    await settled()
    take(vote(6))
    await settled()
    expect(verifications).toEqual([5])
  })

  it('checks together what came while a check was under way that found no quorum', async () => {
    take(vote(0), vote(1), vote(2), vote(3, { blockHash: b }), vote(4, { blockHash: b }), vote(5), vote(6))
    await settled()
    expect(verifications).toEqual([3, 2, 2])
    expect(members()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('is verified value by value', async () => {
    take(vote(0), vote(1), vote(2), vote(3, { blockHash: b }), vote(4, { blockHash: b }))
    await settled()
    expect(verifications).toEqual([3, 2])
    expect(members()).toEqual([0, 1, 2, 3, 4])
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
    for (const one of [0, 1, 2, 3, 4]) door.take(vote(one), 'helper', 0)
    await settled()
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('ignores other heights and members that do not exist', async () => {
    take(...[0, 1, 2, 3, 4].map(member => vote(member, { height: 6 })))
    door.take({ ...vote(0), member: 7 }, 'peer', 0)
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
  it('are blamed on the peer that brought them, and true votes beside them pass', async () => {
    take(vote(0), vote(1), vote(2), vote(3))
    door.take(vote(4, {}, 6), 'forger', 0)
    await settled()
    expect(forged).toEqual(['4 by forger'])
    expect(members()).toEqual([0, 1, 2, 3])
  })

  it.each([
    ['for the same value', [a]],
    ['for two other values', [b, `0x${'cc'.repeat(32)}` as BlockHash]],
  ])('%s do not shut out the true vote that comes while they wait', async (_what, values) => {
    for (const blockHash of values) door.take(vote(4, { blockHash }, 6), 'forger', 0)
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
    door.take(vote(4, {}, 6), 'forger', 0)
    take(vote(4))
    release()
    await settled()
    await settled()
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('lose their power, so that the votes after them are again checked together', async () => {
    for (const member of [0, 1, 2, 3, 4]) door.take(vote(member, {}, 6), 'forger', 0)
    await settled()
    expect(forged).toHaveLength(5)
    take(vote(0), vote(1), vote(2), vote(3), vote(4))
    await settled()
    expect(verifications).toEqual([5, 5])
    expect(members()).toEqual([0, 1, 2, 3, 4])
  })

  it('of far rounds are kept of few, and do not shut out the true ones of others', async () => {
    for (let round = 100; round < 200; round++) for (const m of [0, 1]) door.take(vote(m, { round }, 6), 'forger', 0)
    door.take(vote(2, { round: 150 }, 6), 'forger', 0)
    await settled()
    expect(verifications).toEqual([])
    take(...[0, 1, 2].map(member => vote(member, { round: 500 })))
    await settled()
    expect(members()).toEqual([0, 1, 2])
  })
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
  expect(passed.slice(5).map(({ member, blockHash }) => [member, blockHash])).toEqual([
    [5, a],
    [5, b],
  ])
})
