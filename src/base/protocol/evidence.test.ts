import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp } from '../encoding/rlp.js'
import { bytesToHex } from '../primitives/bytes.js'
import type { BatchAttestation } from './batch-attestation.js'
import {
  accusedOf,
  decodeEvidence,
  decodeEvidenceMessage,
  duplicateAttestation,
  duplicateProposal,
  duplicateVote,
  type Evidence,
  encodeEvidence,
  encodeEvidenceMessage,
  evidenceHash,
  maxEvidenceBytes,
  maxEvidencePerMessage,
} from './evidence.js'
import type { Proposal } from './proposal.js'
import { encodeVote, precommit, prevote, type Vote, type VoteStep } from './vote.js'

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHex)
const signature = fc.uint8Array({ minLength: 96, maxLength: 96 })
const two = <Value>(value: fc.Arbitrary<Value>) => fc.tuple(value, value)
const place = { height: fc.maxSafeNat(), round: fc.nat(0xffffffff) }
const vote: fc.Arbitrary<Vote> = fc.record({
  ...place,
  step: fc.constantFrom<VoteStep>(prevote, precommit),
  blockHash: hash,
  member: fc.nat(0xffff),
  signature,
  extension: fc.constant(new Uint8Array(0)),
})
const proposal: fc.Arbitrary<Proposal> = fc.record({
  ...place,
  validRound: fc.integer({ min: -1, max: 0xfffffffe }),
  blockHash: hash,
  proposer: fc.nat(0xffff),
  signature,
})
const attestation: fc.Arbitrary<BatchAttestation> = fc.record({
  batchIndex: fc.maxSafeNat(),
  batchHash: hash,
  signature,
})
const evidence: fc.Arbitrary<Evidence> = fc.oneof(
  two(vote).map(([a, b]) => duplicateVote(a, b)),
  two(proposal).map(([a, b]) => duplicateProposal(a, b)),
  fc
    .record({ setId: fc.maxSafeNat(), member: fc.nat(0xffff), attestations: two(attestation) })
    .map(duplicateAttestation),
)

describe('evidence', () => {
  it('decodes to what was encoded, within its bound', () => {
    fc.assert(
      fc.property(evidence, value => {
        const bytes = encodeEvidence(value)
        expect(bytes.length).toBeLessThanOrEqual(maxEvidenceBytes)
        expect(decodeEvidence(bytes)).toEqual(value)
        expect(decodeEvidenceMessage(encodeEvidenceMessage([value, value]))).toEqual([value, value])
      }),
    )
  })

  it('of one pair is one piece, whichever message comes first and whatever extensions they carry', () => {
    fc.assert(
      fc.property(two(vote), two(proposal), ([a, b], [c, d]) => {
        const extended = { ...a, extension: Uint8Array.of(1) }
        expect(evidenceHash(duplicateVote(extended, b))).toBe(evidenceHash(duplicateVote(b, a)))
        expect(evidenceHash(duplicateProposal(c, d))).toBe(evidenceHash(duplicateProposal(d, c)))
        const twin = { ...c, validRound: c.validRound === 0 ? 1 : 0 }
        expect(evidenceHash(duplicateProposal(c, twin))).toBe(evidenceHash(duplicateProposal(twin, c)))
      }),
    )
  })

  it('names the accused', () => {
    fc.assert(
      fc.property(vote, proposal, (a, b) => {
        expect(accusedOf(duplicateVote(a, a))).toBe(a.member)
        expect(accusedOf(duplicateProposal(b, b))).toBe(b.proposer)
      }),
    )
  })

  it('in another order, of equal messages, with an extension, of an unknown kind or too long is refused', () => {
    fc.assert(
      fc.property(evidence, value => {
        const swapped = { ...value, first: value.second, second: value.first } as Evidence
        expect(() => decodeEvidence(encodeEvidence(swapped))).toThrow(DecodeError)
        const equal = { ...value, second: value.first } as Evidence
        expect(() => decodeEvidence(encodeEvidence(equal))).toThrow(DecodeError)
      }),
    )
    const [a, b] = fc.sample(vote, { numRuns: 2, seed: 1 }) as [Vote, Vote]
    const { first, second } = duplicateVote({ ...a, step: precommit }, b)
    const extended = encodeVote({ ...first, step: precommit, extension: Uint8Array.of(1) })
    expect(() => decodeEvidence(encodeRlp([new Uint8Array(0), extended, encodeVote(second)]))).toThrow('extension')
    expect(() => decodeEvidence(encodeRlp([Uint8Array.of(3), encodeVote(first), encodeVote(second)]))).toThrow('kind')
    expect(() => decodeEvidence(new Uint8Array(maxEvidenceBytes + 1))).toThrow('bytes')
    const pieces = Array.from({ length: maxEvidencePerMessage + 1 }, () => duplicateVote(a, b))
    expect(() => decodeEvidenceMessage(encodeEvidenceMessage(pieces))).toThrow('too many')
  })

  it('garbage throws nothing but DecodeError', () => {
    const whole = encodeEvidence(fc.sample(evidence, { numRuns: 1, seed: 2 })[0]!)
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.uint8Array({ maxLength: 64 }), (at, byte, noise) => {
        const bent = Uint8Array.from(whole)
        bent[at] = byte
        for (const bytes of [bent, noise, whole.subarray(0, at)])
          try {
            expect(bytesToHex(encodeEvidence(decodeEvidence(bytes)))).toBe(bytesToHex(bytes))
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError)
          }
      }),
    )
  })
})
