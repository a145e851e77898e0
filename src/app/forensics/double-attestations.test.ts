import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Hash32 } from '../../base/primitives/hashes.js'
import { type BatchAttestation, encodeAttestation } from '../../base/protocol/batch-attestation.js'
import { duplicateAttestation } from '../../base/protocol/evidence.js'
import { precommit } from '../../base/protocol/vote.js'
import { verifyEvidence } from '../../rules/consensus/evidence.js'
import { readForensicFile } from './forensic-file.js'
import { a, attestationBy, b, domain, keys, saveSets, saveWal, setJson, voteBy } from './forensics.fixture.js'
import { forensicsExitCode } from './forensics-report.js'
import { runForensics } from './run-forensics.js'
import { setsFromFiles } from './set-source.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'double-attestations-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const carrying = (member: number, height: number, attestation: BatchAttestation) =>
  voteBy(member, { height, round: 0, step: precommit }, a, Uint8Array.from(encodeAttestation(attestation)))

/** A hash that nobody signs. */
const falseHash = (n: number) => `0x${n.toString(16).padStart(64, '0')}` as Hash32

/** Who is named by a log of these votes: the key and the place in the set that the evidence names. */
async function namedBy(votes: Parameters<typeof saveWal>[2], setFiles = [setJson()]) {
  const files = [await readForensicFile(await saveWal(directory, 'wal', votes))]
  const sets = await setsFromFiles(await saveSets(directory, ...setFiles))
  const forensics = await runForensics({ files, sets, domain, isComplete: false, only: null })
  for (const { evidence } of forensics.attestations) {
    const set = (await sets.withId(evidence.setId))!
    expect(verifyEvidence({ evidence, set, domain }).ok).toBe(true)
  }
  return {
    exitCode: forensicsExitCode(forensics),
    named: forensics.attestations.map(({ culprit, evidence: { setId, first } }) => [
      setId,
      culprit.index,
      first.batchHash,
    ]),
  }
}

describe('two attestations of one batch in precommits', () => {
  it('are found at different heights, and no forged one', async () => {
    const votes = [
      carrying(2, 7, attestationBy(3, b)),
      carrying(2, 7, attestationBy(2, a)),
      carrying(2, 8, attestationBy(2, b)),
      carrying(1, 7, attestationBy(1, a)),
      carrying(1, 8, attestationBy(2, b)),
    ]
    expect(await namedBy(votes)).toEqual({ exitCode: 2, named: [[1, 2, a]] })
  })

  it('are found behind any number of false ones', async () => {
    const forged = Array.from({ length: 12 }, (_, n) => ({ ...attestationBy(3, a), batchHash: falseHash(n) }))
    const votes = [
      ...forged.map(attestation => carrying(2, 7, attestation)),
      ...keys.map((_, signer) => carrying(2, 7, { ...attestationBy(signer, a), batchHash: b })),
      carrying(2, 8, attestationBy(2, b)),
      carrying(2, 9, attestationBy(2, a)),
    ]
    expect(await namedBy(votes)).toEqual({ exitCode: 2, named: [[1, 2, a]] })
  })

  it('are counted as not judged at heights whose set is unknown', async () => {
    const votes = [carrying(2, 7, attestationBy(2, a)), carrying(2, 8, attestationBy(2, b))]
    expect(await namedBy(votes, [setJson({ activeFrom: 8 })])).toEqual({ exitCode: 3, named: [] })
  })

  it('are one key’s, whatever its index in the sets of two heights', async () => {
    // Key 2 is member 2 of set 1 and member 1 of set 2; key 3 is member 2 of set 2.
    const sets = [setJson(), setJson({ first: 1, setId: 2, activeFrom: 10 })]
    const moved = [carrying(2, 9, attestationBy(2, a)), carrying(1, 10, attestationBy(2, b))]
    expect(await namedBy(moved, sets)).toEqual({ exitCode: 2, named: [[1, 2, a]] })
    await rm(directory, { recursive: true })
    directory = await mkdtemp(join(tmpdir(), 'double-attestations-'))
    const honest = [carrying(2, 9, attestationBy(2, a)), carrying(2, 10, attestationBy(3, b))]
    expect(await namedBy(honest, sets)).toEqual({ exitCode: 0, named: [] })
  })

  it('are listed once when they are given as evidence too', async () => {
    const [first, second] = [attestationBy(2, a), attestationBy(2, b)]
    const wal = await readForensicFile(
      await saveWal(directory, 'wal', [carrying(2, 9, first), carrying(2, 10, second)]),
    )
    const evidence = [duplicateAttestation({ setId: 2, member: 1, attestations: [first, second] })]
    const files = [{ ...wal, evidence }]
    const setFiles = [setJson(), setJson({ first: 1, setId: 2, activeFrom: 10 })]
    const sets = await setsFromFiles(await saveSets(directory, ...setFiles))
    const { attestations } = await runForensics({ files, sets, domain, isComplete: false, only: null })
    expect(attestations.map(finding => finding.evidence)).toEqual(evidence)
  })
})
