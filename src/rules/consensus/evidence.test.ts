import { describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { bytesToHex, type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import { type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import {
  decodeEvidence,
  duplicateAttestation,
  duplicateProposal,
  duplicateVote,
  type Evidence,
  encodeEvidence,
  evidenceHash,
} from '../../base/protocol/evidence.js'
import { type Proposal, proposalDigest } from '../../base/protocol/proposal.js'
import { setOfKeys } from '../../base/protocol/sequencer-set.fixture.js'
import { makeSequencerSet } from '../../base/protocol/sequencer-set.js'
import { type DomainVectors, domainOf, readVectors } from '../../base/protocol/vectors.fixture.js'
import { precommit, prevote, type Vote, voteDigest } from '../../base/protocol/vote.js'
import { verifyEvidence } from './evidence.js'

const domain = { l1ChainId: 31_337, rollup: `0x${'12'.repeat(20)}` as const }
const keys = [1, 2, 3].map(n => BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
const set = setOfKeys({ setId: 5, keys })
const a: Hash32 = `0x${'aa'.repeat(32)}`
const b: Hash32 = `0x${'bb'.repeat(32)}`

function vote(change: Partial<Vote> = {}, signer = 1): Vote {
  const content = { height: 7, round: 2, step: precommit, blockHash: a, member: 1, ...change }
  const signature = keys[signer]!.sign(voteDigest(domain, content))
  return { ...content, signature, extension: new Uint8Array(0) }
}

function proposal(change: Partial<Proposal> = {}, signer = 1): Proposal {
  const content = { height: 7, round: 2, validRound: -1, blockHash: a, proposer: 1, ...change }
  return { ...content, signature: keys[signer]!.sign(proposalDigest(domain, content)) }
}

function attestation(batchHash: Hash32, batchIndex = 3, signer = 1) {
  return { batchIndex, batchHash, signature: keys[signer]!.sign(attestationDigest(domain, { batchIndex, batchHash })) }
}

const judge = (evidence: Evidence) => {
  const verdict = verifyEvidence({ evidence, set, domain })
  return verdict.ok ? `member ${verdict.value.index}` : verdict.error
}

interface EvidenceVectors extends DomainVectors {
  readonly setId: number
  readonly members: readonly Hex[]
  readonly cases: readonly { readonly name: string; readonly expected: string; readonly raw: Hex; readonly hash: Hex }[]
}

describe('evidence of spec/vectors, made with other libraries', () => {
  const vectors = readVectors<EvidenceVectors>('evidence')
  const member = (key: Hex) => ({ ...set.members[0]!, publicKey: parseBlsPublicKey(hexToBytes(key))! })
  const known = makeSequencerSet(vectors.setId, vectors.members.map(member))

  it.each(vectors.cases)('$name: $expected', ({ expected, raw, hash }) => {
    if (expected === 'malformed') return expect(() => decodeEvidence(hexToBytes(raw))).toThrow(DecodeError)
    const evidence = decodeEvidence(hexToBytes(raw))
    expect(bytesToHex(encodeEvidence(evidence))).toBe(raw)
    expect(evidenceHash(evidence)).toBe(hash)
    const verdict = verifyEvidence({ evidence, set: known, domain: domainOf(vectors.domain) })
    expect(verdict.ok ? 'valid' : verdict.error).toBe(expected)
  })
})

describe('evidence convicts', () => {
  it('two votes in one place, one of them for nil or not', () => {
    expect(judge(duplicateVote(vote(), vote({ blockHash: b })))).toBe('member 1')
    expect(judge(duplicateVote(vote({ step: prevote }), vote({ step: prevote, blockHash: zeroHash })))).toBe('member 1')
  })

  it('two proposals that differ in block or in valid round alone', () => {
    expect(judge(duplicateProposal(proposal(), proposal({ blockHash: b })))).toBe('member 1')
    expect(judge(duplicateProposal(proposal(), proposal({ validRound: 1 })))).toBe('member 1')
  })

  it('two attestations of one batch', () => {
    const attestations = [attestation(a), attestation(b)] as const
    expect(judge(duplicateAttestation({ setId: 5, member: 1, attestations }))).toBe('member 1')
  })
})

describe('evidence does not convict', () => {
  const attestations = [attestation(a), attestation(b)] as const
  it.each([
    ['no-conflict', duplicateVote(vote(), vote({}, 2))],
    ['no-conflict', duplicateProposal(proposal(), proposal())],
    ['no-conflict', duplicateAttestation({ setId: 5, member: 1, attestations: [attestations[0], attestations[0]] })],
    ['two-positions', duplicateVote(vote(), vote({ blockHash: b, round: 3 }))],
    ['two-positions', duplicateVote(vote(), vote({ blockHash: b, height: 8 }))],
    ['two-positions', duplicateVote(vote(), vote({ blockHash: b, step: prevote }))],
    ['two-positions', duplicateProposal(proposal(), proposal({ blockHash: b, round: 3 }))],
    [
      'two-positions',
      duplicateAttestation({ setId: 5, member: 1, attestations: [attestations[0], attestation(b, 4)] }),
    ],
    ['two-members', duplicateVote(vote(), vote({ blockHash: b, member: 2 }, 2))],
    ['two-members', duplicateProposal(proposal(), proposal({ blockHash: b, proposer: 2 }, 2))],
    ['unknown-member', duplicateVote(vote({ member: 3 }), vote({ member: 3, blockHash: b }))],
    ['wrong-set', duplicateAttestation({ setId: 4, member: 1, attestations })],
    ['bad-signature', duplicateVote(vote(), vote({ blockHash: b }, 2))],
    ['bad-signature', duplicateVote(vote({}, 2), vote({ blockHash: b }))],
    ['bad-signature', duplicateProposal(proposal(), proposal({ blockHash: b }, 0))],
    ['bad-signature', duplicateAttestation({ setId: 5, member: 2, attestations })],
  ] as const)('%s (case %#)', (reason, evidence) => {
    expect(judge(evidence)).toBe(reason)
  })

  it('in another domain', () => {
    const evidence = duplicateVote(vote(), vote({ blockHash: b }))
    const elsewhere = { ...domain, l1ChainId: 1 }
    expect(verifyEvidence({ evidence, set, domain: elsewhere })).toEqual({ ok: false, error: 'bad-signature' })
  })
})
