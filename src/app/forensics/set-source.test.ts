import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { json } from 'node:stream/consumers'
import { afterEach, expect, it } from 'vitest'
import { duplicateAttestation } from '../../base/protocol/evidence.js'
import { readForensicFile } from './forensic-file.js'
import { a, attestationBy, b, domain, saveSets, saveWal, setJson } from './forensics.fixture.js'
import { forensicsExitCode, forensicsJson, forensicsText } from './forensics-report.js'
import { runForensics } from './run-forensics.js'
import { type SetSource, setsFromFiles, setsFromNode } from './set-source.js'

const closers: (() => Promise<unknown>)[] = []
afterEach(() => Promise.all(closers.splice(0).map(close => close())))

/** A node at height 100 that answers for heights as `answer` says, and the blocks that it was asked for. */
async function node(answer: (height: number) => unknown) {
  const asked: string[] = []
  const server: Server = createServer(async (request, response) => {
    const { params } = (await json(request)) as { params: [string] }
    asked.push(params[0])
    response.end(JSON.stringify({ result: answer(params[0] === 'latest' ? 100 : Number(params[0])) }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => new Promise(resolve => server.close(resolve)))
  return { asked, sets: setsFromNode(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) }
}

/** Set 1 signs from height 1, set 3 from 10, set 4 from 50. */
const turns = [
  setJson({ setId: 4, activeFrom: 50, first: 2 }),
  setJson({ setId: 3, activeFrom: 10, first: 1 }),
  setJson(),
]
const turnAt = (height: number) => turns.find(({ activeFrom }) => Number(activeFrom) <= height) ?? null

async function judge(setId: number, sets: SetSource) {
  const directory = await mkdtemp(`${tmpdir()}/set-source-`)
  closers.push(() => rm(directory, { recursive: true }))
  const piece = duplicateAttestation({ setId, member: 0, attestations: [attestationBy(0, a), attestationBy(0, b)] })
  const file = { ...(await readForensicFile(await saveWal(directory, 'wal', []))), evidence: [piece, piece] }
  return runForensics({ files: [file], sets, domain, isComplete: false, only: null })
}

it('a node is asked back to the set that evidence names, and no further', async () => {
  const { asked, sets } = await node(turnAt)
  expect((await sets.withId(3))?.setId).toBe(3)
  expect(asked).toEqual(['latest', '0x31'])
  const { attestations, unjudged } = await judge(1, sets)
  expect([attestations.map(({ culprit }) => culprit.index), unjudged]).toEqual([[0], []])
  expect(asked).toEqual(['latest', '0x31', '0x9'])
  for (const unknown of [0, 2, 5]) expect(await sets.withId(unknown)).toBeUndefined()
  expect(asked.length).toBe(3)
})

it('a node that forgot older sets, or tells the same one for ever, leaves them unknown', async () => {
  const pruned = await node(height => (height < 50 ? null : turnAt(height)))
  expect(await pruned.sets.withId(3)).toBeUndefined()
  const stuck = await node(() => turns[0])
  expect(await stuck.sets.withId(3)).toBeUndefined()
  expect(stuck.asked).toEqual(['latest', '0x31'])
})

it('evidence of an unknown set is told to be unjudged, with sets from a node and from files', async () => {
  const directory = await mkdtemp(`${tmpdir()}/set-source-`)
  closers.push(() => rm(directory, { recursive: true }))
  const { sets } = await node(turnAt)
  for (const source of [sets, await setsFromFiles(await saveSets(directory, ...turns))]) {
    const forensics = await judge(2, source)
    expect(forensicsText(forensics)).toContain('1 piece of evidence could not be judged: set 2 is unknown')
    expect(forensicsText(forensics)).not.toContain('nobody')
    expect(forensicsJson(forensics).unjudged).toMatchObject([
      { kind: 'duplicate-attestation', setId: 2, member: 0, batchIndex: 2, reason: 'unknown-set' },
    ])
    expect(forensicsExitCode(forensics)).toBe(3)
  }
})
