import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey, verifyBls } from '../../base/crypto/bls.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import { nodeBindingDigest } from '../../base/protocol/node-binding.js'
import { proposalDigest } from '../../base/protocol/proposal.js'
import { precommit, prevote, voteDigest } from '../../base/protocol/vote.js'
import { silentLogger } from '../telemetry/logger.js'
import { systemClock } from '../time/system-clock.js'
import type { ConsensusSigner } from './consensus-signer.js'
import { GuardedSigner } from './guarded-signer.js'
import { RemoteSigner } from './remote-signer.js'
import { inlineSignatureVerifier } from './signature-verifier.js'
import { parseSignerAddress } from './signer-address.js'
import { SignerServer } from './signer-server.js'
import { hash, proposal, vote } from './signing-content.fixture.js'

const domain = { l1ChainId: 31337, rollup: `0x${'11'.repeat(20)}` } as const
const secretKey = BlsSecretKey.fromSeed(new Uint8Array(32).fill(1))
const thief = BlsSecretKey.fromSeed(new Uint8Array(32).fill(2))
const key = parseBlsPublicKey(secretKey.publicKey())!
const token = 'a'.repeat(32)
const batch = (batchIndex: number, n = 1) => ({ batchIndex, batchHash: hash(n) })
const refusal = (code: string) => expect.objectContaining({ name: 'SignerRefusal', code })

interface Opened {
  readonly signer: ConsensusSigner
  close(): Promise<void>
}

/** Opens a signer on the record at this path. */
const kinds: [string, (recordPath: string) => Promise<Opened>][] = [
  [
    'GuardedSigner',
    async recordPath => {
      const signer = await GuardedSigner.open({ secretKey, domain, recordPath })
      return { signer, close: () => signer.close() }
    },
  ],
  ...(['unix', 'tcp'] as const).map((kind): [string, (recordPath: string) => Promise<Opened>] => [
    `RemoteSigner with a SignerServer over ${kind}`,
    async recordPath => {
      const held = await GuardedSigner.open({ secretKey, domain, recordPath })
      const address = parseSignerAddress(kind === 'unix' ? `unix:${recordPath}.sock` : 'tcp://127.0.0.1:0')
      const ports = { signer: held, domain, token, clock: systemClock, logger: silentLogger }
      const server = await SignerServer.start({ address, ports })
      const signer = await RemoteSigner.connect({
        config: { address: server.address, token, domain },
        ports: { verifier: inlineSignatureVerifier, clock: systemClock, logger: silentLogger },
      })
      return {
        signer,
        async close() {
          await signer.close()
          await server.close()
          await held.close()
        },
      }
    },
  ]),
]

describe.each(kinds)('ConsensusSigner: %s', (_, open) => {
  let directory: string
  let opened: Opened
  let signer: ConsensusSigner
  const start = async () => {
    opened = await open(join(directory, 'record'))
    signer = opened.signer
  }
  const restart = async () => {
    await opened.close()
    await start()
  }
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'signer-'))
    await start()
  })
  afterEach(async () => {
    await opened.close()
    await rm(directory, { recursive: true, force: true })
  })

  it('signs what verifies against the digests of the protocol', async () => {
    const signed: [Uint8Array, Uint8Array][] = [
      [voteDigest(domain, vote(1, 0, prevote)), await signer.signVote(vote(1, 0, prevote))],
      [voteDigest(domain, vote(1, 0, precommit, 0)), await signer.signVote(vote(1, 0, precommit, 0))],
      [proposalDigest(domain, proposal(1, 0)), await signer.signProposal(proposal(1, 0))],
      [proposalDigest(domain, proposal(1, 3, 1, 2)), await signer.signProposal(proposal(1, 3, 1, 2))],
      [attestationDigest(domain, batch(3)), await signer.signAttestation(batch(3))],
      [nodeBindingDigest(domain, Uint8Array.of(1, 2)), await signer.signNodeBinding(Uint8Array.of(1, 2))],
    ]
    for (const [digest, signature] of signed) expect(verifyBls({ digest, key, signature })).toBe(true)
    expect(signer.publicKey).toEqual(key.bytes)
    expect(signer.isReachable).toBe(true)
  })

  it('gives the same signature for the same content, and no other one at its position, also after a restart', async () => {
    const first = await signer.signVote(vote(5, 1, precommit))
    await signer.signProposal(proposal(5, 1))
    await signer.signAttestation(batch(3))
    for (const again of [false, true]) {
      if (again) await restart()
      expect(await signer.signVote(vote(5, 1, precommit))).toEqual(first)
      await expect(signer.signVote(vote(5, 1, precommit, 2))).rejects.toEqual(refusal('DOUBLE_VOTE'))
      await expect(signer.signProposal(proposal(5, 1, 1, 0))).rejects.toEqual(refusal('DOUBLE_PROPOSAL'))
      await expect(signer.signAttestation(batch(3, 2))).rejects.toEqual(refusal('DOUBLE_ATTESTATION'))
      await expect(signer.signVote(vote(5, 1, prevote))).rejects.toEqual(refusal('BELOW_RECORD'))
      await expect(signer.signVote(vote(4, 9, precommit))).rejects.toEqual(refusal('BELOW_RECORD'))
      await expect(signer.signAttestation(batch(2))).rejects.toEqual(refusal('BELOW_RECORD'))
    }
  })

  it('is bound by the block that it precommitted last, also after a restart, until a polka frees it', async () => {
    await signer.signVote(vote(5, 1, precommit, 1))
    await signer.signVote(vote(5, 2, precommit, 0))
    await restart()
    await expect(signer.signVote(vote(5, 3, prevote, 2))).rejects.toEqual(refusal('LOCKED'))
    await expect(signer.signVote({ ...vote(5, 3, prevote, 2), polkaRound: 0 })).rejects.toEqual(refusal('LOCKED'))
    await signer.signVote(vote(5, 3, prevote, 1))
    await signer.signVote({ ...vote(5, 4, prevote, 2), polkaRound: 1 })
    await signer.signVote(vote(6, 0, prevote, 2))
  })

  it('judges requests in the order of their asking', async () => {
    const asked = [1, 2, 3, 4].flatMap(height => [
      signer.signVote(vote(height, 0, prevote, 1)),
      signer.signVote(vote(height, 0, prevote, 2)),
      signer.signVote(vote(height, 0, precommit, 1)),
    ])
    const outcomes = (await Promise.allSettled(asked)).map(({ status }) => status)
    expect(outcomes).toEqual([1, 2, 3, 4].flatMap(() => ['fulfilled', 'rejected', 'fulfilled']))
  })

  it('signs nothing up to its floor, also after a restart', async () => {
    await signer.raiseFloor(7)
    await restart()
    await expect(signer.signVote(vote(7, 3, precommit))).rejects.toEqual(refusal('BELOW_RECORD'))
    await expect(signer.signProposal(proposal(7, 3))).rejects.toEqual(refusal('BELOW_RECORD'))
    await signer.signVote(vote(8, 0, prevote))
  })

  it('is not stopped by its own messages, by those below its record, nor by what the key did not sign', async () => {
    const signature = await signer.signVote(vote(5, 1, prevote))
    const below = secretKey.sign(voteDigest(domain, vote(5, 0, prevote, 9)))
    const forged = thief.sign(voteDigest(domain, vote(6, 0, prevote, 9)))
    const see = (content: ReturnType<typeof vote>, by: Uint8Array) =>
      signer.observe({ kind: 'vote', content, signature: by })
    expect(await see(vote(5, 1, prevote), signature)).toBe('expected')
    expect(await see(vote(5, 0, prevote, 9), below)).toBe('expected')
    expect(await see(vote(6, 0, prevote, 9), forged)).toBe('forged')
    expect(await see(vote(6, 0, prevote, 9), new Uint8Array(96))).toBe('forged')
    expect(signer.stop).toBeNull()
    await signer.signVote(vote(6, 0, prevote))
  })

  it('stops at a vote of its key that the record does not know, and stays so after a restart', async () => {
    await signer.signVote(vote(5, 1, prevote))
    const content = vote(5, 2, prevote, 9)
    const signature = secretKey.sign(voteDigest(domain, content))
    expect(await signer.observe({ kind: 'vote', content, signature })).toBe('stopped')
    const stop = { reason: 'KEY_IN_USE_ELSEWHERE', kind: 'prevote', at: 5, round: 2 }
    for (const again of [false, true]) {
      if (again) await restart()
      expect(signer.stop).toEqual(stop)
      await expect(signer.signVote(vote(9, 0, prevote))).rejects.toEqual(refusal('SIGNING_STOPPED'))
      await expect(signer.signProposal(proposal(9, 0))).rejects.toEqual(refusal('SIGNING_STOPPED'))
      await expect(signer.signAttestation(batch(9))).rejects.toEqual(refusal('SIGNING_STOPPED'))
      await signer.signNodeBinding(Uint8Array.of(1))
    }
  })

  it('stops at proposals, attestations and certified precommits too, and names a record that is behind', async () => {
    const cases = [
      { kind: 'proposal', content: proposal(5, 0), signature: secretKey.sign(proposalDigest(domain, proposal(5, 0))) },
      { kind: 'attestation', content: batch(4), signature: secretKey.sign(attestationDigest(domain, batch(4))) },
      { kind: 'vote', content: vote(5, 0, precommit), signature: 'certified' },
    ] as const
    for (const message of cases) {
      expect(await signer.observe(message)).toBe('stopped')
      expect(signer.stop?.reason).toBe('SIGNING_RECORD_BEHIND')
      await opened.close()
      await rm(join(directory, 'record'))
      await start()
    }
  })
})
