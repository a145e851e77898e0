import { describe, expect, it } from 'vitest'
import { aggregateSignatures, BlsSecretKey } from '../../base/crypto/bls.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import { verifyCertificate } from '../../base/protocol/quorum-certificate.js'
import { setOfKeys } from '../../base/protocol/sequencer-set.fixture.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { precommit, voteDigest } from '../../base/protocol/vote.js'
import { hashOf } from './core.fixture.js'
import { makeCertificate } from './make-certificate.js'
import { asVerified } from './verified.js'

const domain: SigningDomain = { l1ChainId: 31337, rollup: '0x00000000000000000000000000000000000000aa' }
const keys = [1, 2, 3, 4, 5].map(i => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i)))
const set = setOfKeys({ setId: 3, keys, powers: keys.map((_, i) => BigInt(i + 1)) })
const content = { height: 9, round: 2, step: precommit, blockHash: hashOf('A') }
const voteOf = (member: number) =>
  asVerified({
    ...content,
    member,
    signature: keys[member]!.sign(voteDigest(domain, content)),
    extension: new Uint8Array(0),
  })
const aggregateOf = (members: number[]) => {
  const votes = members.map(voteOf)
  return asVerified({ votes, signature: aggregateSignatures(votes.map(vote => vote.signature)) })
}
const certificateOf = (members: number[], ...aggregated: number[][]) => {
  const precommits = { votes: members.map(voteOf), aggregates: aggregated.map(aggregateOf) }
  return makeCertificate({ set, height: 9, round: 2, blockHash: hashOf('A'), precommits })
}

describe('makeCertificate', () => {
  it('verifies, and names the absent', () => {
    const certificate = certificateOf([4, 1, 3])
    expect(certificate).toMatchObject({ height: 9, round: 2, setId: 3, absent: 0b00101n })
    expect(verifyCertificate({ certificate, set, domain })).toEqual({ ok: true, value: undefined })
    expect(verifyCertificate({ certificate: { ...certificate, absent: 0b00011n }, set, domain }).ok).toBe(false)
    expect(verifyCertificate({ certificate: { ...certificate, round: 1 }, set, domain }).ok).toBe(false)
  })

  it('adds up aggregates and single votes to the same certificate', () => {
    expect(certificateOf([4], [1, 3])).toEqual(certificateOf([4, 1, 3]))
    expect(certificateOf([], [0, 4], [2, 3])).toEqual(certificateOf([0, 2, 3, 4]))
  })

  it('needs a quorum of distinct members', () => {
    expect(() => certificateOf([4, 3])).toThrow(InvariantError)
    expect(() => certificateOf([4, 4, 4])).toThrow(InvariantError)
    expect(() => certificateOf([4], [3, 4])).toThrow(InvariantError)
    expect(() => certificateOf([], [2, 3], [3, 4])).toThrow(InvariantError)
  })
})
