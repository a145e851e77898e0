import { type FileHandle, link, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FileLog, logBefore, readFileLog } from './file-log.js'

const failure = (code: string) => Object.assign(new Error(code), { code })
const record = (value: string) => Uint8Array.from(Buffer.from(value))
let directory: string
let path: string
let handle: FileHandle
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-'))
  path = join(directory, 'wal')
  const file = await open(join(directory, 'any'), 'w')
  handle = Object.getPrototypeOf(file) as FileHandle
  await file.close()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(directory, { recursive: true, force: true })
})

async function texts(): Promise<string[]> {
  const log = await FileLog.open({ path })
  const records = await log.readAll()
  await log.close()
  return records.map(record => Buffer.from(record).toString())
}

/** Writes each group as one sync; gives the file's length after each. */
async function writeGroups(...groups: string[][]): Promise<number[]> {
  const log = await FileLog.open({ path })
  const lengths: number[] = []
  for (const group of groups) {
    for (const value of group) log.append(record(value))
    await log.sync()
    lengths.push((await stat(path)).size)
  }
  await log.close()
  return lengths
}

describe('FileLog', () => {
  it('cuts off a last record that is truncated at any byte, and goes on from there', async () => {
    const [first, second] = await writeGroups(['one', 'two'], ['a longer third record'])
    const whole = await readFile(path)
    for (let length = first!; length < second!; length++) {
      await writeFile(path, whole.subarray(0, length))
      expect(await texts()).toEqual(['one', 'two'])
      expect((await stat(path)).size).toBe(first)
      await writeGroups(['four'])
      expect(await texts()).toEqual(['one', 'two', 'four'])
    }
  })

  it('is put aside when it is corrupt and may be, and goes on with the records before the damage', async () => {
    const [first] = await writeGroups(['one', 'two'], ['three'], ['four'])
    const whole = await readFile(path)
    for (let at = 0; at < whole.length; at++) {
      const damaged = Uint8Array.from(whole)
      damaged[at]! ^= 0x01
      await writeFile(path, damaged)
      const { log, setAside } = await FileLog.openOrSetAside({ path })
      const kept = (await log.readAll()).map(bytes => Buffer.from(bytes).toString())
      expect(kept).toEqual(['one', 'two', 'three', 'four'].slice(0, kept.length))
      expect(kept.length).toBeGreaterThanOrEqual(at < first! ? 0 : 2)
      log.append(record('five'))
      await log.close()
      expect(await texts()).toEqual([...kept, 'five'])
      // Damage to the last frame's body looks like a torn end: that is cut off, as always.
      if (setAside === null) expect(kept).toEqual(['one', 'two', 'three'])
      else {
        expect(setAside).toBe(`${path}.corrupt`)
        expect(Uint8Array.from(await readFile(setAside))).toEqual(damaged)
        await rm(setAside)
      }
    }
  })

  it('keeps every file that was put aside', async () => {
    const asides = []
    for (const content of ['first garbage', 'second garbage']) {
      await writeFile(path, content)
      const { log, setAside } = await FileLog.openOrSetAside({ path })
      expect(await log.readAll()).toEqual([])
      await log.close()
      asides.push(setAside!)
    }
    expect(asides).toEqual([`${path}.corrupt`, `${path}.corrupt-2`])
    expect(await Promise.all(asides.map(name => readFile(name, 'utf8')))).toEqual(['first garbage', 'second garbage'])
  })

  it('drops all records of a torn sync together', async () => {
    const [, second] = await writeGroups(['one'], ['two', 'three'])
    await writeFile(path, (await readFile(path)).subarray(0, second! - 1))
    expect(await texts()).toEqual(['one'])
  })

  it('cuts off an end whose length came to the disk before its data', async () => {
    const [first] = await writeGroups(['one'])
    const whole = await readFile(path)
    await writeFile(path, Buffer.concat([whole, Buffer.alloc(100)]))
    expect(await texts()).toEqual(['one'])
    expect((await stat(path)).size).toBe(first)
    const [, end] = await writeGroups([], ['torn'])
    const torn = await readFile(path)
    torn.fill(0, end! - 2)
    await writeFile(path, torn)
    expect(await texts()).toEqual(['one'])
  })

  it('refuses a change of any byte before its last sync, naming the place', async () => {
    const lengths = await writeGroups(['one'], ['two'], ['three'])
    const whole = await readFile(path)
    for (let at = 0; at < lengths[1]!; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 1
      await writeFile(path, damaged)
      await expect(FileLog.open({ path })).rejects.toMatchObject({
        name: 'StorageError',
        code: 'LOG_CORRUPT',
        data: { offset: at < lengths[0]! ? 0 : lengths[0]! },
      })
      expect(await readFile(path)).toEqual(damaged)
    }
  })

  it('shares one durable write among syncs that overlap', async () => {
    const log = await FileLog.open({ path })
    const write = vi.spyOn(handle, 'write')
    const syncs: Promise<void>[] = []
    for (let i = 0; i < 50; i++) {
      log.append(record(`${i}`))
      syncs.push(log.sync())
    }
    await Promise.all(syncs)
    expect(write.mock.calls.length).toBeLessThanOrEqual(2)
    expect(await log.readAll()).toHaveLength(50)
    await log.close()
  })

  it('resolves a sync only when an append before it is on the disk, also while another sync runs', async () => {
    const log = await FileLog.open({ path })
    log.append(record('one'))
    const running = log.sync()
    await Promise.resolve()
    log.append(record('two'))
    await log.sync()
    expect(Buffer.from(await readFile(path)).includes('two')).toBe(true)
    await running
    await log.close()
  })

  it('says DISK_FULL, keeps what was durable, and goes on when there is space again', async () => {
    const log = await FileLog.open({ path })
    log.append(record('one'))
    await log.sync()
    const write = handle.write as unknown as (...args: unknown[]) => Promise<{ bytesWritten: number }>
    vi.spyOn(handle as unknown as { write: typeof write }, 'write')
      .mockImplementationOnce(function (this: FileHandle, bytes, from, _, position) {
        return write.call(this, bytes, from, 5, position)
      })
      .mockRejectedValueOnce(failure('ENOSPC'))
    log.append(record('two'))
    await expect(log.sync()).rejects.toMatchObject({ name: 'StorageError', code: 'DISK_FULL' })
    log.append(record('three'))
    await log.sync()
    await log.close()
    expect(await texts()).toEqual(['one', 'two', 'three'])
  })

  const replacements: [string, (log: FileLog) => Promise<void>][] = [
    ['turn', log => log.turn()],
    ['replacement', log => log.replace([record('other')])],
  ]

  it.each(replacements)('goes on with all records after a %s for which there was no space', async (_, replace) => {
    const log = await FileLog.open({ path })
    log.append(record('one'))
    await log.sync()
    log.append(record('two'))
    vi.spyOn(handle, 'write').mockRejectedValueOnce(failure('ENOSPC'))
    const replacing = replace(log)
    log.append(record('three'))
    await expect(replacing).rejects.toMatchObject({ code: 'DISK_FULL' })
    await log.sync()
    await log.close()
    expect(await texts()).toEqual(['one', 'two', 'three'])
  })

  it.each(replacements)('promises nothing after a %s whose new file may have no durable name', async (_, replace) => {
    const log = await FileLog.open({ path })
    vi.spyOn(handle, 'sync').mockRejectedValueOnce(failure('EIO'))
    await expect(replace(log)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    log.append(record('one'))
    await expect(log.sync()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(log.close()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  it('promises nothing after a write that failed and could not be cut off', async () => {
    const log = await FileLog.open({ path })
    vi.spyOn(handle, 'write').mockRejectedValueOnce(failure('ENOSPC'))
    vi.spyOn(handle, 'truncate').mockRejectedValueOnce(failure('EIO'))
    log.append(record('one'))
    await expect(log.sync()).rejects.toMatchObject({ code: 'DISK_FULL' })
    await expect(log.sync()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(log.close()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  it('promises nothing after a write that failed', async () => {
    const log = await FileLog.open({ path })
    vi.spyOn(handle, 'write').mockRejectedValueOnce(failure('EIO'))
    log.append(record('one'))
    await expect(log.sync()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(log.sync()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(log.close()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  it('keeps the old records when a replacement did not come to its rename', async () => {
    await writeGroups(['one'])
    await writeFile(`${path}.new`, 'half a replacement')
    expect(await texts()).toEqual(['one'])
    const log = await FileLog.open({ path })
    await log.replace([record('two')])
    await log.close()
    expect(await texts()).toEqual(['two'])
  })

  it('keeps the log before the last turn, what was buffered too, wherever a turn was cut off', async () => {
    const kept = async () => (await readFileLog(logBefore(path))).records.map(bytes => Buffer.from(bytes).toString())
    let log = await FileLog.open({ path })
    for (const value of ['one', 'two']) {
      log.append(record(value))
      await log.sync()
      log.append(record(`${value} buffered`))
      const turning = log.turn()
      log.append(record('next'))
      await turning
      expect((await kept()).slice(-2)).toEqual([value, `${value} buffered`])
      expect((await stat(logBefore(path))).nlink).toBe(1)
    }
    await log.close()
    expect(await texts()).toEqual(['next'])
    // The old log has its second name, the new one is not in its place yet.
    await rm(logBefore(path))
    await link(path, logBefore(path))
    log = await FileLog.open({ path })
    log.append(record('more'))
    await log.turn()
    await log.close()
    expect([await kept(), await texts()]).toEqual([['next', 'more'], []])
  })

  it('says why it cannot be opened', async () => {
    await expect(FileLog.open({ path: directory })).rejects.toMatchObject({
      name: 'StorageError',
      code: 'STORE_FAILED',
    })
  })
})
