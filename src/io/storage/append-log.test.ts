import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeAppendLog, record, texts } from './append-log.fixture.js'
import { FileLog } from './file-log.js'
import { MemoryLog } from './memory-log.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

describeAppendLog('FileLog', async () => {
  const open = () => FileLog.open({ path: join(directory, 'wal') })
  return { log: await open(), again: open }
})

describeAppendLog('MemoryLog', async () => {
  const log = new MemoryLog()
  const again = async () => {
    log.reopen()
    return log
  }
  return { log, again }
})

describe('MemoryLog', () => {
  it('loses what was not synced when it crashes', async () => {
    const log = new MemoryLog()
    log.append(record('synced'))
    await log.sync()
    log.append(record('lost'))
    log.crash()
    log.reopen()
    expect(await texts(log)).toEqual(['synced'])
  })
})
