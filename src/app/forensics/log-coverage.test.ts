import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { precommit, prevote, type Vote, type VoteStep } from '../../base/protocol/vote.js'
import type { WalMark } from '../../services/sequencer/wal/wal-record.js'
import { readForensicFile } from './forensic-file.js'
import { a, b, decided, domain, saveSets, saveWal, setJson, voteBy } from './forensics.fixture.js'
import { forensicsJson, forensicsText } from './forensics-report.js'
import { runForensics } from './run-forensics.js'
import { setsFromFiles } from './set-source.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-coverage-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const at = (round: number, step: VoteStep) => ({ height: 5, round, step })
const votesOf = (round: number, step: VoteStep, hash: typeof a, ...by: number[]): Vote[] =>
  by.map(member => voteBy(member, at(round, step), hash))
const laterVote = (member: number) => voteBy(member, { height: 6, round: 0, step: prevote }, a)

// At height 5 members 0 and 1 are honest. The enemies prevoted A and B in round 0: 1 precommitted A, then saw the polka for B,
// which only its own log holds, and so prevoted and decided B in round 1.
const lockedThenFreed: readonly Vote[] = [
  ...decided(4, 0, a, 0, 1, 2),
  ...votesOf(0, prevote, a, 1, 2, 3),
  ...votesOf(0, precommit, a, 1),
  ...votesOf(0, prevote, b, 2, 3),
  ...votesOf(0, prevote, b, 0),
  ...votesOf(1, prevote, b, 1, 2, 3),
  ...votesOf(1, precommit, b, 1, 2, 3),
  laterVote(1),
]
/** A log that was begun anew: through the heights that others had decided, to 6, where its node signs again. */
const anew: readonly (Vote | WalMark)[] = [
  { height: 1, mark: 'opened' },
  ...[1, 2, 3, 4, 5].map(height => voteBy(3, { height, round: 0, step: prevote }, a)),
  { height: 6, mark: 'signs' },
  laterVote(1),
  voteBy(1, { height: 7, round: 0, step: prevote }, a),
]
const decidedFirst: readonly Vote[] = [
  ...decided(4, 0, a, 0, 1, 2),
  ...votesOf(0, precommit, a, 1, 2, 3),
  ...votesOf(1, prevote, b, 1),
  ...votesOf(1, precommit, b, 1),
  laterVote(0),
]

async function judge(files: readonly string[]) {
  const read = await Promise.all(files.map(readForensicFile))
  const sets = await setsFromFiles(await saveSets(directory, setJson()))
  return runForensics({ files: read, sets, domain, isComplete: true, only: null })
}

const culprits = ({ heights }: Awaited<ReturnType<typeof judge>>) =>
  new Set(heights.flatMap(findings => findings.culprits.map(({ member }) => member)))

describe('a log that does not hold all of a height', () => {
  const save = (name: string, entries: readonly (Vote | WalMark)[]) => saveWal(directory, name, entries)

  it('convicts nobody honest, wherever it begins or was cut', async () => {
    const other = await save('wal-0', decidedFirst)
    const whole = await judge([other, await save('wal-1', lockedThenFreed)])
    expect([culprits(whole), whole.gaps]).toEqual([new Set([2, 3]), []])
    for (let first = 1; first <= lockedThenFreed.length; first++) {
      // A log is emptied between heights alone.
      if (lockedThenFreed[first]?.height === lockedThenFreed[first - 1]!.height) continue
      const rotated = await judge([other, await save(`from-${first}`, lockedThenFreed.slice(first))])
      expect(culprits(rotated), `from vote ${first}`).not.toContain(1)
    }
    const bytes = await readFile(join(directory, 'wal-1'))
    for (let end = 0; end < bytes.length; end += 83) {
      const cut = join(directory, `cut-${end}`)
      await writeFile(cut, bytes.subarray(0, end))
      expect(culprits(await judge([other, cut])), `cut at byte ${end}`).not.toContain(1)
    }
    for (let at = bytes.indexOf(bytes.subarray(0, 4), 20); at < bytes.length - 300; at += 211) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1
      const file = join(directory, `damaged-${at}`)
      await writeFile(file, damaged)
      expect(culprits(await judge([other, file])), `damaged at byte ${at}`).not.toContain(1)
    }
  })

  it('convicts nobody honest whose log was lost and begun anew, however low the heights that it went through again', async () => {
    const other = await save('wal-0', decidedFirst)
    const file = await save('anew', anew)
    const after = await judge([other, file])
    expect(culprits(after)).not.toContain(1)
    expect(after.gaps).toEqual([{ file, reason: expect.stringContaining('took part'), heights: [5] }])
    // A log that was emptied, and then its node was synced anew.
    const emptied = await save('emptied', [
      { height: 8, mark: 'signs' },
      voteBy(1, { height: 8, round: 0, step: prevote }, a),
      ...anew,
    ])
    expect(culprits(await judge([other, emptied]))).not.toContain(1)
  })

  it('is whole at the height in which its node was started again', async () => {
    const other = await save('wal-0', decidedFirst)
    const middle = lockedThenFreed.findIndex(({ height }) => height === 5) + 4
    const file = await save('restarted', [
      { height: 4, mark: 'signs' },
      ...lockedThenFreed.slice(0, middle),
      { height: 5, mark: 'opened' },
      ...lockedThenFreed.slice(middle, -1),
      { height: 6, mark: 'signs' },
      laterVote(1),
    ])
    const forensics = await judge([other, file])
    expect([culprits(forensics), forensics.gaps]).toEqual([new Set([2, 3]), []])
  })

  it('is named with its reason, and who could only be seen by what is missing is accused', async () => {
    const other = await save('wal-0', decidedFirst)
    const reasons = async (file: string, expected: string) => {
      const forensics = await judge([other, file])
      expect(forensicsText(forensics)).toContain(`height 5: ${file} ${expected}`)
      expect(forensicsJson(forensics).gaps).toEqual([{ file, reason: expect.stringContaining(expected), heights: [5] }])
      expect(forensicsText(forensics)).toContain('judged as without --complete')
    }
    await reasons(await save('later', [laterVote(1)]), 'does not show that its node took part')
    await reasons(await save('cut', lockedThenFreed.slice(0, -1)), 'ends at height 5')
    await reasons(await save('empty', []), 'holds no record')
    const file = await save('corrupt', lockedThenFreed)
    const bytes = await readFile(file)
    bytes[Math.floor(bytes.length / 2)]! ^= 1
    await writeFile(file, bytes)
    await reasons(file, 'is corrupt at byte')
  })

  it('is wanted at all: certificates and evidence alone are no log', async () => {
    const { votes } = await readForensicFile(await save('wal-1', lockedThenFreed))
    const evidence = { ...(await readForensicFile(await save('none', []))), kind: 'evidence' as const, votes }
    const sets = await setsFromFiles(await saveSets(directory, setJson()))
    const forensics = await runForensics({ files: [evidence], sets, domain, isComplete: true, only: 5 })
    expect(forensics.gaps).toEqual([{ file: null, reason: 'no consensus log is given', heights: [5] }])
    expect(forensicsText(forensics)).toContain('height 5: no consensus log is given')
  })

  it('is read with the log before it, and convicts nobody honest where a log between them is missing', async () => {
    const other = await save('wal-0', decidedFirst)
    const heights = [...new Set(lockedThenFreed.map(({ height }) => height))]
    const of = (height: number, name: string) =>
      save(name, [{ height, mark: 'signs' }, ...lockedThenFreed.filter(vote => vote.height === height)])
    expect(heights).toEqual([4, 5, 6])
    const node = join(directory, 'node')
    await mkdir(node)
    await of(4, 'node/consensus-wal.1')
    await of(5, 'node/consensus-wal')
    expect((await judge([other, node])).gaps).toMatchObject([{ file: join(node, 'consensus-wal'), heights: [5] }])
    await rename(join(node, 'consensus-wal'), join(node, 'consensus-wal.1'))
    await of(6, 'node/consensus-wal')
    const joint = await judge([other, node])
    expect([culprits(joint), joint.gaps]).toEqual([new Set([2, 3]), []])
    const whole = await readFile(join(node, 'consensus-wal.1'))
    await writeFile(join(node, 'consensus-wal.1'), whole.subarray(0, whole.length - 1))
    const torn = await judge([other, node])
    expect([culprits(torn).has(1), torn.gaps.map(gap => gap.heights)]).toEqual([false, [[5]]])
    await rm(join(node, 'consensus-wal.1'))
    await of(4, 'node/consensus-wal.1')
    const between = await judge([other, node])
    expect([culprits(between).has(1), between.gaps.map(gap => gap.heights)]).toEqual([false, [[5]]])
  })

  it('says where the log before it is corrupt', async () => {
    const file = await save('wal', [laterVote(1)])
    const before = await readFile(await save('wal.1', decidedFirst))
    before[before.length - 100]! ^= 1
    await writeFile(join(directory, 'wal.1'), Buffer.concat([before, Buffer.alloc(50, 7)]))
    const report = await judge([file])
    expect(report.corrupt.map(({ file }) => file)).toEqual([join(directory, 'wal.1')])
  })
})
