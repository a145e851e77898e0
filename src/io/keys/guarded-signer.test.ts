import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey, verifyBls } from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import { nodeBindingDigest } from '../../base/protocol/node-binding.js'
import { proposalDigest } from '../../base/protocol/proposal.js'
import { precommit, prevote, voteDigest } from '../../base/protocol/vote.js'
import { FileSigningRecord } from './file-signing-record.js'
import { GuardedSigner } from './guarded-signer.js'
import { KeyError } from './key-error.js'
import { MemorySigningRecord } from './memory-signing-record.js'
import { hash, proposal, vote } from './signing-content.fixture.js'
import type { SigningRecordStore } from './signing-record.js'

const domain = { l1ChainId: 31337, rollup: `0x${'11'.repeat(20)}` } as const
const secretKey = BlsSecretKey.fromSeed(new Uint8Array(32).fill(1))
const key = parseBlsPublicKey(secretKey.publicKey())!
const owner = { publicKey: bytesToHex(secretKey.publicKey()), ...domain }
const refusal = (code: string) => expect.objectContaining({ name: 'SignerRefusal', code })

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'signer-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const kinds: [string, () => () => Promise<SigningRecordStore>][] = [
  ['FileSigningRecord', () => () => FileSigningRecord.open({ path: join(directory, 'record'), owner })],
  [
    'MemorySigningRecord',
    () => {
      const record = new MemorySigningRecord()
      return async () => record
    },
  ],
]

describe.each(kinds)('GuardedSigner on %s', (_, makeOpen) => {
  let openRecord: () => Promise<SigningRecordStore>
  let signer: GuardedSigner
  const start = async () => new GuardedSigner({ secretKey, domain, record: await openRecord() })
  const restart = async () => {
    await signer.close()
    signer = await start()
  }
  beforeEach(async () => {
    openRecord = makeOpen()
    signer = await start()
  })
  afterEach(() => signer.close())

  it('signs what verifies against the digests of the protocol', async () => {
    const signed: [Uint8Array, Uint8Array][] = [
      [voteDigest(domain, vote(1, 0, prevote)), await signer.signVote(vote(1, 0, prevote))],
      [proposalDigest(domain, proposal(1, 0)), await signer.signProposal(proposal(1, 0))],
      [
        attestationDigest(domain, { batchIndex: 3, batchHash: hash(9) }),
        await signer.signAttestation({ batchIndex: 3, batchHash: hash(9) }),
      ],
      [nodeBindingDigest(domain, Uint8Array.of(1, 2)), await signer.signNodeBinding(Uint8Array.of(1, 2))],
    ]
    for (const [digest, signature] of signed) expect(verifyBls({ digest, key, signature })).toBe(true)
    expect(signer.publicKey).toEqual(key.bytes)
  })

  it('gives the same signature for the same content, also after a restart', async () => {
    const first = await signer.signVote(vote(5, 1, precommit))
    expect(await signer.signVote(vote(5, 1, precommit))).toEqual(first)
    await restart()
    expect(await signer.signVote(vote(5, 1, precommit))).toEqual(first)
  })

  it('refuses a second vote at one (height, round, step), also after a restart', async () => {
    await signer.signVote(vote(5, 1, prevote, 1))
    await expect(signer.signVote(vote(5, 1, prevote, 2))).rejects.toEqual(refusal('DOUBLE_VOTE'))
    await restart()
    await expect(signer.signVote(vote(5, 1, prevote, 2))).rejects.toEqual(refusal('DOUBLE_VOTE'))
    await signer.signVote(vote(5, 1, precommit, 2))
    await expect(signer.signVote(vote(5, 1, precommit, 0))).rejects.toEqual(refusal('DOUBLE_VOTE'))
  })

  it('refuses the second of two votes asked for at once', async () => {
    const both = await Promise.allSettled([
      signer.signVote(vote(5, 1, prevote, 1)),
      signer.signVote(vote(5, 1, prevote, 2)),
    ])
    expect(both.map(outcome => outcome.status)).toEqual(['fulfilled', 'rejected'])
  })

  it('refuses votes before the last one, in height, round and step', async () => {
    await signer.signVote(vote(5, 1, prevote))
    await signer.signVote(vote(5, 1, precommit))
    await restart()
    for (const earlier of [vote(4, 9, prevote), vote(4, 9, precommit), vote(5, 0, precommit), vote(5, 0, prevote)])
      await expect(signer.signVote(earlier)).rejects.toEqual(refusal('BELOW_RECORD'))
    await signer.signVote(vote(5, 2, precommit))
    await expect(signer.signVote(vote(5, 2, prevote))).rejects.toEqual(refusal('BELOW_RECORD'))
    await signer.signVote(vote(6, 0, prevote))
    await expect(signer.signVote(vote(5, 3, precommit))).rejects.toEqual(refusal('BELOW_RECORD'))
  })

  it('refuses a second proposal of a round, another valid round included, and earlier ones', async () => {
    const first = await signer.signProposal(proposal(5, 2))
    await restart()
    expect(await signer.signProposal(proposal(5, 2))).toEqual(first)
    await expect(signer.signProposal(proposal(5, 2, 2))).rejects.toEqual(refusal('DOUBLE_PROPOSAL'))
    await expect(signer.signProposal(proposal(5, 2, 1, 0))).rejects.toEqual(refusal('DOUBLE_PROPOSAL'))
    await expect(signer.signProposal(proposal(5, 1))).rejects.toEqual(refusal('BELOW_RECORD'))
    await signer.signVote(vote(5, 1, prevote))
    await signer.signProposal(proposal(6, 0))
  })

  it('refuses a second attestation of a batch and earlier batches', async () => {
    const first = await signer.signAttestation({ batchIndex: 3, batchHash: hash(1) })
    await restart()
    expect(await signer.signAttestation({ batchIndex: 3, batchHash: hash(1) })).toEqual(first)
    await expect(signer.signAttestation({ batchIndex: 3, batchHash: hash(2) })).rejects.toEqual(
      refusal('DOUBLE_ATTESTATION'),
    )
    await expect(signer.signAttestation({ batchIndex: 2, batchHash: hash(1) })).rejects.toEqual(refusal('BELOW_RECORD'))
    await signer.signAttestation({ batchIndex: 9, batchHash: hash(2) })
  })

  it('never signs two digests at one position, whatever is asked for in whatever order', async () => {
    const small = fc.integer({ min: 1, max: 3 })
    const request = fc.record({
      kind: fc.constantFrom('vote', 'proposal', 'batch', 'restart'),
      a: small,
      b: small,
      c: small,
      step: fc.constantFrom(prevote, precommit),
    })
    const seen = new Map<string, string>()
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 6 }), async requests => {
        for (const { kind, a, b, c, step } of requests) {
          if (kind === 'restart') await restart()
          const asked: [string, () => Promise<Uint8Array>] =
            kind === 'vote'
              ? [`vote ${a} ${b} ${step}`, () => signer.signVote(vote(a, b, step, c))]
              : kind === 'proposal'
                ? [`proposal ${a} ${b}`, () => signer.signProposal(proposal(a, b, c))]
                : [`batch ${a}`, () => signer.signAttestation({ batchIndex: a, batchHash: hash(c) })]
          const signature = await asked[1]().then(
            bytes => Buffer.from(bytes).toString('hex'),
            () => null,
          )
          if (signature === null) continue
          expect(seen.get(asked[0]) ?? signature).toBe(signature)
          seen.set(asked[0], signature)
        }
      }),
      { numRuns: 40 },
    )
    expect(seen.size).toBeGreaterThan(0)
  })
})

describe('GuardedSigner', () => {
  it('gives no signature when the record could not be saved, and remembers all the same', async () => {
    const record = new MemorySigningRecord()
    const broken = new KeyError('SIGNING_RECORD_UNWRITABLE', 'disk')
    let full = true
    const store: SigningRecordStore = {
      load: () => record.load(),
      save: async content => {
        if (full) throw broken
        await record.save(content)
      },
      close: async () => {},
    }
    const signer = new GuardedSigner({ secretKey, domain, record: store })
    await expect(signer.signVote(vote(1, 0, prevote, 1))).rejects.toBe(broken)
    full = false
    await expect(signer.signVote(vote(1, 0, prevote, 2))).rejects.toEqual(refusal('DOUBLE_VOTE'))
    await signer.signVote(vote(1, 0, prevote, 1))
    expect(record.load().prevote.height).toBe(1)
  })

  it('saves a stop that the disk did not take when the next message is seen', async () => {
    const record = new MemorySigningRecord()
    let full = true
    let saves = 0
    const store: SigningRecordStore = {
      load: () => record.load(),
      save: async content => {
        saves++
        if (full) throw new KeyError('SIGNING_RECORD_UNWRITABLE', 'disk')
        await record.save(content)
      },
      close: async () => {},
    }
    const signer = new GuardedSigner({ secretKey, domain, record: store })
    const content = vote(5, 0, prevote, 1)
    const seen = { kind: 'vote', content, signature: secretKey.sign(voteDigest(domain, content)) } as const
    await expect(signer.observe(seen)).rejects.toMatchObject({ code: 'SIGNING_RECORD_UNWRITABLE' })
    await expect(signer.signVote(vote(6, 0, prevote, 1))).rejects.toEqual(refusal('SIGNING_STOPPED'))
    full = false
    expect(await signer.observe(seen)).toBe('stopped')
    expect(record.load().stop).toMatchObject({ kind: 'prevote', at: 5 })
    expect(await signer.observe(seen)).toBe('stopped')
    expect(saves).toBe(2)
  })
})
