import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { openConsensusLog } from './consensus-log.js'

it('says of a corrupt log how to start without it, and leaves it as it is', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'morphism-consensus-log-'))
  try {
    const file = path.join(dataDir, 'consensus-wal')
    const garbage = 'no log of consensus, and longer than the head of a record'
    await writeFile(file, garbage)
    await expect(openConsensusLog(dataDir)).rejects.toMatchObject({
      name: 'AppError',
      code: 'CONSENSUS_LOG_CORRUPT',
      message: `the log ${file} is corrupt at byte 0: set it aside (mv ${file} ${file}.corrupt) and start again; keep signing-record where it is`,
    })
    expect(await readFile(file, 'utf8')).toBe(garbage)
    await rename(file, `${file}.corrupt`)
    const log = await openConsensusLog(dataDir)
    expect(await log.readAll()).toEqual([])
    await log.close()
  } finally {
    await rm(dataDir, { recursive: true })
  }
})
