import { describe, expect, it } from 'vitest'
import { aggregateSignatures, BlsSecretKey, blsSignatureFromEip2537, parseBlsPublicKey } from '../crypto/bls.js'
import { type Hex, hexToBytes } from '../primitives/bytes.js'
import { type QuorumRefusal, verifyCertificate, verifyQuorum } from './quorum-certificate.js'
import { makeSequencerSet } from './sequencer-set.js'
import { type DomainVectors, domainOf, readVectors } from './vectors.fixture.js'
import { precommit, prevote, voteDigest } from './vote.js'

interface QuorumVectors extends DomainVectors {
  readonly sets: readonly {
    readonly size: number
    readonly totalPower: string
    readonly digest: Hex
    readonly members: readonly (Readonly<
      Record<'secretKey' | 'publicKey' | 'operator' | 'submitter' | 'feeRecipient', Hex>
    > & { readonly power: string })[]
    readonly cases: readonly {
      readonly name: string
      readonly expected: string
      readonly absent: string
      readonly digest?: Hex
      readonly signature: Hex | null
      readonly signatureEip2537: Hex
    }[]
  }[]
}

const vectors = readVectors<QuorumVectors>('quorum')
/** What the contract answers, and what this project does. */
const refusals: Readonly<Record<string, QuorumRefusal | null>> = {
  Valid: null,
  QuorumNotReached: 'not-enough-power',
  SignatureInvalid: 'bad-signature',
  AbsentOutOfRange: 'unknown-member',
}

const setOf = ({ members }: QuorumVectors['sets'][number]) =>
  makeSequencerSet(
    1,
    members.map(({ publicKey, power, operator, submitter, feeRecipient }) => ({
      operator,
      submitter,
      feeRecipient,
      power: BigInt(power),
      publicKey: parseBlsPublicKey(hexToBytes(publicKey))!,
    })),
  )

describe('quorum of a set, by the vectors', () => {
  it.each(vectors.sets)('$size members', vector => {
    const set = setOf(vector)
    expect(set.totalPower).toBe(BigInt(vector.totalPower))
    for (const { name, expected, absent, digest = vector.digest, signature, signatureEip2537 } of vector.cases) {
      if (signature === null) {
        expect(() => blsSignatureFromEip2537(hexToBytes(signatureEip2537)), name).toThrow(RangeError)
        continue
      }
      const verdict = verifyQuorum({
        set,
        absent: BigInt(absent),
        digest: hexToBytes(digest),
        signature: hexToBytes(signature),
      })
      expect(verdict.ok ? null : verdict.error, name).toBe(refusals[expected])
    }
  })
})

describe('certificate', () => {
  const domain = domainOf(vectors.domain)
  const vector = vectors.sets.find(({ size }) => size === 4)!
  const set = setOf(vector)
  const content = { height: 5, round: 1, step: precommit, blockHash: `0x${'ab'.repeat(32)}` as Hex }
  const signedAs = (step: typeof precommit) => {
    const digest = voteDigest(domain, { ...content, step })
    const secrets = vector.members.map(({ secretKey }) => BlsSecretKey.fromBytes(hexToBytes(secretKey)))
    return aggregateSignatures(secrets.map(secret => secret.sign(digest)))
  }
  const { height, round, blockHash } = content
  const certificate = { height, round, blockHash, setId: 1, absent: 0n, signature: signedAs(precommit) }
  const refusalOf = (changed: Partial<typeof certificate>) => {
    const verdict = verifyCertificate({ certificate: { ...certificate, ...changed }, set, domain })
    return verdict.ok ? null : verdict.error
  }

  it('of precommits of all verifies, and every field is signed', () => {
    expect(refusalOf({})).toBeNull()
    expect(refusalOf({ height: 6 })).toBe('bad-signature')
    expect(refusalOf({ round: 0 })).toBe('bad-signature')
    expect(refusalOf({ blockHash: `0x${'ac'.repeat(32)}` })).toBe('bad-signature')
    expect(refusalOf({ setId: 2 })).toBe('wrong-set')
    expect(refusalOf({ absent: 16n })).toBe('unknown-member')
    expect(refusalOf({ absent: -1n })).toBe('unknown-member')
    expect(refusalOf({ absent: 15n })).toBe('not-enough-power')
  })

  it('of prevotes is none', () => {
    expect(refusalOf({ signature: signedAs(prevote) })).toBe('bad-signature')
  })
})
