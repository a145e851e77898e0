import { hashStruct, hashTypedData } from 'viem'
import { describe, expect, it } from 'vitest'
import { bytesToHex, type Hex, hexToBytes } from '../primitives/bytes.js'
import { attestationDigest } from './batch-attestation.js'
import { nodeBindingDigest } from './node-binding.js'
import { proposalDigest } from './proposal.js'
import { intWord, signingDigest, structHash, typeHash, uintWord } from './signing-domain.js'
import { type DomainVectors, domainOf, readVectors } from './vectors.fixture.js'
import { type VoteStep, voteDigest } from './vote.js'

interface Eip712Case {
  readonly type: string
  readonly message: Readonly<Record<string, string | number>>
  readonly digest: Hex
}
interface Eip712Vectors extends DomainVectors {
  readonly types: Readonly<Record<string, readonly { readonly type: string; readonly name: string }[]>>
  readonly cases: readonly Eip712Case[]
}

const vectors = readVectors<Eip712Vectors>('eip712')
const domain = domainOf(vectors.domain)

/** The digest by this project's code; null when the case is beyond the integers that the code keeps exactly. */
function digestOf({ type, message }: Eip712Case): Uint8Array | null {
  const number = (name: string) => Number(message[name])
  const hex = (name: string) => String(message[name]) as Hex
  if (!Object.values(message).every(value => typeof value === 'number' || !/^-?\d+$/.test(value) || isExact(value)))
    return null
  switch (type) {
    case 'Proposal':
      return proposalDigest(domain, {
        height: number('height'),
        round: number('round'),
        validRound: number('validRound'),
        blockHash: hex('blockHash'),
      })
    case 'Vote':
      return voteDigest(domain, {
        height: number('height'),
        round: number('round'),
        step: number('step') as VoteStep,
        blockHash: hex('blockHash'),
      })
    case 'BatchAttestation':
      return attestationDigest(domain, { batchIndex: number('batchIndex'), batchHash: hex('batchHash') })
    case 'NodeBinding':
      return nodeBindingDigest(domain, hexToBytes(hex('peerId')))
    default:
      return null
  }
}
const isExact = (value: string) => Number.isSafeInteger(Number(value))

describe('EIP-712 digests', () => {
  const known = vectors.cases.map(vector => ({ ...vector, mine: digestOf(vector) })).filter(({ mine }) => mine !== null)

  it.each(known)('$type $message is the digest of the vector', ({ mine, digest }) => {
    expect(bytesToHex(mine!)).toBe(digest)
  })

  it('cover each type that consensus keys sign, but the proof of possession that has its own vectors', () => {
    expect(new Set(known.map(({ type }) => type))).toEqual(
      new Set(['Proposal', 'Vote', 'BatchAttestation', 'NodeBinding']),
    )
  })

  it('of integers of 64 bits agree with the vectors', () => {
    for (const { type, message, digest } of vectors.cases) {
      const fields = vectors.types[type]!
      if (fields.some(field => field.type === 'bytes')) continue
      const name = `${type}(${fields.map(field => `${field.type} ${field.name}`).join(',')})`
      const words = fields.map(field => {
        const value = message[field.name]!
        if (field.type === 'bytes32') return hexToBytes(String(value))
        if (field.type === 'address') return uintWord(BigInt(value))
        return field.type.startsWith('int') ? intWord(BigInt(value)) : uintWord(BigInt(value))
      })
      expect(bytesToHex(signingDigest(domain, structHash(typeHash(name), ...words)))).toBe(digest)
    }
  })

  it('depend on the chain and on the contract', () => {
    const content = { batchIndex: 1, batchHash: `0x${'11'.repeat(32)}` as Hex }
    const digests = [domain, { ...domain, l1ChainId: 1 }, { ...domain, rollup: `0x${'22'.repeat(20)}` as Hex }].map(
      of => bytesToHex(attestationDigest(of, content)),
    )
    expect(new Set(digests).size).toBe(3)
  })

  it('agree with viem for a negative integer', () => {
    const types = { T: [{ name: 'x', type: 'int64' }] }
    const mine = structHash(typeHash('T(int64 x)'), intWord(-7))
    expect(bytesToHex(mine)).toBe(hashStruct({ data: { x: -7n }, primaryType: 'T', types }))
    const viemDomain = { ...vectors.domain, name: 'Morphism', version: '1' }
    expect(bytesToHex(signingDigest(domain, mine))).toBe(
      hashTypedData({ domain: viemDomain, primaryType: 'T', types, message: { x: -7n } }),
    )
  })
})
