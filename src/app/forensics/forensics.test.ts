import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { aggregateSignatures } from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { duplicateVote, encodeEvidence } from '../../base/protocol/evidence.js'
import { proposalDigest } from '../../base/protocol/proposal.js'
import { precommit, prevote, type Vote } from '../../base/protocol/vote.js'
import { FileLog } from '../../io/storage/file-log.js'
import { childOf, genesis } from '../../rules/blocks/blocks.fixture.js'
import { asVerified } from '../../rules/consensus/verified.js'
import { encodeWalRecord } from '../../services/sequencer/wal/wal-record.js'
import { readForensicFile } from './forensic-file.js'
import { a, b, decided, domain, keys, setJson, voteBy, saveWal as walOf } from './forensics.fixture.js'
import { forensicsExitCode, forensicsJson, forensicsText } from './forensics-report.js'
import { runForensics } from './run-forensics.js'
import { setsFromFiles, setsFromNode } from './set-source.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'forensics-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

async function save(name: string, content: string | Uint8Array): Promise<string> {
  const file = join(directory, name)
  await writeFile(file, content)
  return file
}

const saveWal = (name: string, votes: readonly Vote[]) => walOf(directory, name, votes)
const setFile = () => save('set.json', JSON.stringify(setJson()))

async function judge(names: readonly string[], { isComplete = false, only = null as number | null } = {}) {
  const files = await Promise.all(names.map(readForensicFile))
  const findings = await runForensics({ files, sets: await setsFromFiles([await setFile()]), domain, isComplete, only })
  const words = ({ member, offence }: { member: number; offence: string }) => `${member} ${offence}`
  return {
    findings,
    exitCode: forensicsExitCode(findings),
    culprits: findings.heights.flatMap(({ culprits }) => culprits.map(words)),
    accused: findings.heights.flatMap(({ accused }) => accused.map(words)),
  }
}

describe('forensics on files', () => {
  // At height 5 member 0 decided A in round 0; then 2 and 3 forgot, and member 1 decided B in round 1.
  const next = { height: 6, round: 0, step: prevote }
  const logs = async () => [
    await saveWal('wal-0', [...decided(4, 0, a, 0, 1, 2), ...decided(5, 0, a, 0, 2, 3), voteBy(0, next, a)]),
    await saveWal('wal-1', [...decided(4, 0, a, 0, 1, 2), ...decided(5, 1, b, 1, 2, 3), voteBy(1, next, a)]),
  ]

  it('names amnesiacs when the logs of all honest nodes are there, else accuses and asks for more', async () => {
    const files = await logs()
    const partial = await judge(files)
    expect(partial).toMatchObject({ exitCode: 3, culprits: [], accused: ['2 amnesia', '3 amnesia'] })
    expect(forensicsText(partial.findings)).toContain('Ask members 2, 3')
    const whole = await judge(files, { isComplete: true })
    expect(whole).toMatchObject({ exitCode: 2, culprits: ['2 amnesia', '3 amnesia'], accused: [] })
    expect(forensicsText(whole.findings)).toContain('culprits, 2 of 4 of the power, more than a third')
    const [height] = forensicsJson(whole.findings).heights
    expect(height).toMatchObject({ height: 5, isFork: true, culpritPower: '2' })
    expect(height!.culprits[0]!.proof.map(({ type }) => type)).toEqual(['vote', 'vote'])
  })

  it('leaves a log as it is, torn end and all, and says where it is corrupt', async () => {
    const [file] = (await logs()) as [string]
    const torn = Buffer.concat([await readFile(file), Buffer.from([9, 0, 0])])
    await writeFile(file, torn)
    const before = await stat(file)
    expect((await readForensicFile(file)).votes.length).toBe(13)
    expect(await readFile(file)).toEqual(torn)
    expect((await stat(file)).mtimeMs).toBe(before.mtimeMs)
    torn[torn.length - 100]! ^= 1
    await writeFile(file, Buffer.concat([torn, Buffer.alloc(50, 7)]))
    const read = await readForensicFile(file)
    expect(read.corruptAt).toBeGreaterThan(0)
    expect(read.votes.length).toBe(12)
    expect(read.coverage!.last).toBe(5)
  })

  it('needs a quorum of certificates or votes for a fork, and takes certificates as JSON', async () => {
    const [, second] = (await logs()) as [string, string]
    const signatures = [0, 2, 3].map(member => voteBy(member, { height: 5, round: 0, step: precommit }, a).signature)
    const certificate = {
      height: '0x5',
      round: '0x0',
      blockHash: a,
      setId: '0x1',
      absent: '0x2',
      signature: bytesToHex(aggregateSignatures(signatures)),
    }
    const alone = await judge([second])
    expect(alone).toMatchObject({ exitCode: 0, culprits: [], accused: [] })
    const answer = await save('certificate.json', JSON.stringify({ jsonrpc: '2.0', id: 1, result: certificate }))
    const forked = await judge([second, answer])
    expect(forked.exitCode).toBe(3)
    expect(forked.accused).toContain('2 amnesia')
    const unhashed = await save('unhashed.json', JSON.stringify({ ...certificate, blockHash: '0xzz' }))
    const named = { code: 'FORENSICS_FILE', message: expect.stringContaining('unhashed.json cannot be read') }
    await expect(readForensicFile(unhashed)).rejects.toMatchObject(named)
    const forged = await save('forged.json', JSON.stringify([{ ...certificate, blockHash: `0x${'cc'.repeat(32)}` }]))
    expect((await judge([second, forged])).exitCode).toBe(3)
  })

  it('sees a precommit for nil beside a certificate of that round that has its sender in it', async () => {
    const place = { height: 5, round: 0, step: precommit }
    const log = await saveWal('wal', [...decided(5, 0, a, 0, 2, 3), voteBy(1, place, zeroHash)])
    const saveCertificate = (name: string, ...by: number[]) => {
      const absent = [0, 1, 2, 3]
        .filter(member => !by.includes(member))
        .reduce((bits, member) => bits | (1 << member), 0)
      const signature = bytesToHex(aggregateSignatures(by.map(member => voteBy(member, place, a).signature)))
      const fields = { height: '0x5', round: '0x0', blockHash: a, setId: '0x1', absent: `0x${absent.toString(16)}` }
      return save(name, JSON.stringify({ ...fields, signature }))
    }
    const without = await judge([log, await saveCertificate('without', 0, 2, 3)])
    expect(without).toMatchObject({ exitCode: 0, culprits: [] })
    const withIt = await judge([log, await saveCertificate('with', 0, 1, 2)])
    expect(withIt).toMatchObject({ exitCode: 2, culprits: ['1 double-vote'] })
  })

  it('takes evidence as raw bytes, as hex and as an answer of morphism_evidence, and checks it', async () => {
    const place = { height: 9, round: 0, step: prevote }
    const piece = duplicateVote(voteBy(3, place, a), voteBy(3, place, b))
    const raw = encodeEvidence(piece)
    const framed = encodeEvidence(duplicateVote({ ...piece.first, member: 1 }, { ...piece.second, member: 1 }))
    const hex = bytesToHex(raw)
    for (const content of [
      raw,
      hex,
      `${hex}\n`,
      JSON.stringify([{ kind: 'x', raw: hex }]),
      JSON.stringify({ raw: hex }),
    ])
      expect(await judge([await save('evidence', content)])).toMatchObject({ exitCode: 2, culprits: ['3 double-vote'] })
    expect(await judge([await save('framed', framed)])).toMatchObject({ exitCode: 3, culprits: [] })
  })

  it('says so when nothing is signed as it says: the network or the set may be another one', async () => {
    const place = { height: 9, round: 0, step: prevote }
    const evidence = await save('evidence', encodeEvidence(duplicateVote(voteBy(3, place, a), voteBy(3, place, b))))
    const files = await Promise.all([...(await logs()), evidence].map(readForensicFile))
    const sets = await setsFromFiles([await setFile()])
    const elsewhere = { ...domain, l1ChainId: 1 }
    const findings = await runForensics({ files, sets, domain: elsewhere, isComplete: true, only: null })
    expect(forensicsExitCode(findings)).toBe(3)
    expect(forensicsText(findings)).toContain('are these the right network and set?')
    expect(forensicsText(findings)).not.toContain('nobody is seen')
    expect(forensicsJson(findings).refusedMessages).toBeGreaterThan(10)
  })

  it('does not say that nobody is seen when a part of what was given was not judged', async () => {
    const [file] = (await logs()) as [string]
    const quiet = await judge([file])
    expect([quiet.exitCode, forensicsText(quiet.findings)]).toEqual([0, expect.stringContaining('nobody is seen')])

    const bytes = await readFile(file)
    bytes[bytes.length - 100]! ^= 1
    const corrupt = await judge([await save('corrupt', Buffer.concat([bytes, Buffer.alloc(50, 7)]))])
    expect([corrupt.exitCode, forensicsText(corrupt.findings)]).toEqual([
      3,
      expect.stringContaining('is corrupt at byte'),
    ])

    const split = await saveWal('split', [
      ...decided(5, 0, a, 0, 1, 2),
      voteBy(3, { height: 5, round: 1, step: prevote }, b),
    ])
    const gap = await judge([split], { isComplete: true })
    expect([gap.exitCode, forensicsText(gap.findings)]).toEqual([3, expect.stringContaining('may have gone on')])
    for (const { findings } of [corrupt, gap]) expect(forensicsText(findings)).not.toContain('nobody is seen')
  })

  it('discards the rest of a file of forgeries, judges the others and says so', async () => {
    const elsewhere = (round: number) => voteBy(3, { height: 6, round, step: precommit }, b).signature
    const oneValue = Array.from({ length: 1_000 }, (_, i) => ({
      ...voteBy(3, { height: 5, round: 0, step: precommit }, b),
      signature: elsewhere(i),
    }))
    const forged = oneValue.map((vote, round) => ({ ...vote, round, blockHash: a }))
    const file = { ...(await readForensicFile(await saveWal('empty', []))), votes: [...oneValue, ...forged] }
    const of = { files: [{ ...file, file: 'forged' }], domain, isComplete: false, only: null }
    const sets = await setsFromFiles([await setFile()])
    const alone = await runForensics({ ...of, sets })
    expect(alone.refusedMessages).toBeLessThanOrEqual(128)
    expect(forensicsExitCode(alone)).toBe(3)
    expect(forensicsText(alone)).toMatch(/forged holds too many messages .* the rest of it was discarded/)
    const others = await Promise.all((await logs()).map(readForensicFile))
    const withOthers = await runForensics({ ...of, files: [...of.files, ...others], sets })
    expect(withOthers.heights[0]!.accused.map(({ member }) => member)).toEqual([2, 3])
  })

  it('judges what it can, and says of which heights the set is unknown', async () => {
    const files = await Promise.all((await logs()).map(readForensicFile))
    const far = { height: 10 ** 9, round: 0, step: prevote }
    const forged = await save('forged', encodeEvidence(duplicateVote(voteBy(3, far, a), voteBy(3, far, b))))
    const sets = await setsFromFiles([await setFile()])
    const source = {
      ...sets,
      setAt: async (height: number) => (height === far.height ? undefined : sets.setAt(height)),
    }
    const of = (...given: typeof files) =>
      runForensics({ files: given, sets: source, domain, isComplete: true, only: null })
    const both = await of(...files, await readForensicFile(forged))
    expect(both.heights[0]!.culprits.map(({ member }) => member)).toEqual([2, 3])
    expect(forensicsText(both)).toContain(
      'height 1000000000: messages differ, and could not be judged: the set that signs them is unknown',
    )
    const alone = await of(await readForensicFile(forged))
    expect(forensicsExitCode(alone)).toBe(3)
    expect(forensicsText(alone)).not.toContain('nobody is seen')
    expect(forensicsJson(alone).unknownSetAt).toEqual([far.height])
  })

  it('judges no height that another set signs than the one that is given', async () => {
    const block = childOf(genesis, { context: { setId: 2 } })
    const place = { height: 1, round: 0 }
    const path = join(directory, 'wal')
    const log = await FileLog.open({ path })
    const content = { ...place, validRound: -1, blockHash: block.hash, proposer: 0 } as const
    const proposal = asVerified({ ...content, signature: keys[0]!.sign(proposalDigest(domain, content)) })
    log.append(encodeWalRecord({ height: 1, input: { type: 'proposal', proposal }, block }))
    const votes = (members: number[], hash = block.hash) =>
      members.map(by => voteBy(by, { ...place, step: prevote }, hash))
    const save = (some: Vote[]) =>
      log.append(encodeWalRecord({ height: 1, input: { type: 'votes', votes: some.map(asVerified) } }))
    save([...votes([3]), ...votes([3], b)])
    await log.sync()
    // One member alone may vote for a block that names any set.
    expect(await judge([path])).toMatchObject({ exitCode: 2, culprits: ['3 double-vote'] })
    save(votes([0, 1]))
    await log.close()
    const stale = await judge([path])
    expect(stale).toMatchObject({ exitCode: 3, culprits: [], findings: { unknownSetAt: [1] } })
  })

  it('judges no height as complete at which a log holds what nobody signed', async () => {
    const [first, second] = (await logs()) as [string, string]
    const files = await Promise.all([first, second].map(readForensicFile))
    const forged = { ...voteBy(1, { height: 5, round: 1, step: prevote }, a), member: 0 }
    const sets = await setsFromFiles([await setFile()])
    const of = { files: [files[0]!, { ...files[1]!, votes: [...files[1]!.votes, forged] }], sets, domain, only: null }
    const findings = await runForensics({ ...of, isComplete: true })
    expect(findings.heights[0]).toMatchObject({ culprits: [], accused: [{ member: 2 }, { member: 3 }] })
    expect(forensicsText(findings)).toContain('wal-1 holds messages that were not signed as they say')
    expect(forensicsExitCode(findings)).toBe(3)
  })

  it('takes the set that signs the height, from files or from a node', async () => {
    const asked: unknown[] = []
    const server = createServer(async (request, response) => {
      const { method, params } = (await json(request)) as { method: string; params: unknown[] }
      asked.push(method, ...params)
      response.end(JSON.stringify({ result: setJson() }))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const files = await Promise.all((await logs()).map(readForensicFile))
    const node = setsFromNode(url)
    const byNode = await runForensics({ files, sets: node, domain, isComplete: true, only: null })
    expect(byNode.heights[0]!.culprits.map(({ member }) => member)).toEqual([2, 3])
    expect(asked).toEqual(['morphism_sequencerSet', '0x5'])
    expect((await node.withId(1))!.members.length).toBe(4)
    expect(await node.withId(2)).toBeUndefined()
    await new Promise(resolve => server.close(resolve))
    const later = await save('later.json', JSON.stringify(setJson({ first: 1, setId: 2, activeFrom: 5 })))
    const sets = await setsFromFiles([later, await setFile()])
    expect([(await sets.setAt(4))?.setId, (await sets.setAt(5))?.setId, (await sets.withId(2))?.setId]).toEqual([
      1, 2, 2,
    ])
    expect(await (await setsFromFiles([later])).setAt(4)).toBeUndefined()
    await expect(setsFromFiles([await save('bad', '{"members":[]}')])).rejects.toMatchObject({ code: 'FORENSICS_FILE' })
  })

  it('examines one height alone when asked, and refuses what is no such file', async () => {
    const files = await logs()
    expect((await judge(files, { only: 4 })).findings).toMatchObject({ examinedHeights: 1, heights: [] })
    expect((await judge(files, { only: 5, isComplete: true })).exitCode).toBe(2)
    for (const content of ['what is this, and why is it here at all?', '{"a":1}', '0x1234', '[{"absent":"0x0"}]'])
      await expect(readForensicFile(await save('bad', content))).rejects.toMatchObject({ code: 'FORENSICS_FILE' })
    await truncate(await save('huge', ''), (128 << 20) + 1)
    const huge = { code: 'FORENSICS_FILE', message: expect.stringContaining('more than 134217728') }
    await expect(readForensicFile(join(directory, 'huge'))).rejects.toMatchObject(huge)
    await expect(readForensicFile(join(directory, 'none'))).rejects.toMatchObject({ code: 'FORENSICS_FILE' })
  })
})
