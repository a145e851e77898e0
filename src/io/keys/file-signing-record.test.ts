import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileSigningRecord, type RecordOwner } from './file-signing-record.js'
import { emptyRecord, type SigningRecord } from './signing-record.js'

const owner: RecordOwner = {
  publicKey: `0x${'01'.repeat(48)}`,
  l1ChainId: 31337,
  rollup: `0x${'11'.repeat(20)}` as const,
}
const at = (height: number): SigningRecord => ({
  ...emptyRecord,
  prevote: { height, round: 0, digest: `0x${'ab'.repeat(32)}` },
})
let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'record-'))
  path = join(directory, 'record')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

async function load(): Promise<SigningRecord> {
  const store = await FileSigningRecord.open({ path, owner })
  await store.close()
  return store.load()
}

async function save(...records: SigningRecord[]): Promise<Buffer> {
  const store = await FileSigningRecord.open({ path, owner })
  for (const record of records) await store.save(record)
  await store.close()
  return readFile(path)
}

describe('FileSigningRecord', () => {
  it('starts empty, in a file that only its owner reads', async () => {
    expect(await load()).toEqual(emptyRecord)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('loads the last record that was saved; its file does not grow', async () => {
    const first = await save(at(1))
    const last = await save(...[2, 3, 4, 5, 6, 7].map(at))
    expect(await load()).toEqual(at(7))
    expect(last.length).toBe(first.length)
  })

  it('shares writes among saves that overlap, and keeps the newest', async () => {
    const store = await FileSigningRecord.open({ path, owner })
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.save(at(i + 1))))
    await store.close()
    expect(await load()).toEqual(at(100))
  })

  it('keeps the record before a write that was torn at any byte', async () => {
    const before = await save(at(1), at(2))
    const after = await save(at(3))
    const first = before.findIndex((byte, i) => byte !== after[i])
    const last = before.findLastIndex((byte, i) => byte !== after[i])
    for (let cut = first + 1; cut <= last; cut++) {
      await writeFile(path, Buffer.concat([after.subarray(0, cut), before.subarray(cut)]))
      expect(await load()).toEqual(at(2))
      await writeFile(path, Buffer.concat([before.subarray(0, cut), after.subarray(cut)]))
      expect(await load()).toEqual(at(2))
    }
  })

  it.each([
    ['emptied', () => Buffer.alloc(0)],
    ['zeroed', (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ['cut', (bytes: Buffer) => bytes.subarray(0, 100)],
    ['replaced', () => Buffer.from('{"height":1}')],
  ])('refuses a file that was %s', async (_, change) => {
    const bytes = await save(at(1))
    await writeFile(path, change(bytes))
    await expect(load()).rejects.toMatchObject({ name: 'KeyError', code: 'SIGNING_RECORD_CORRUPT' })
  })

  it('leaves nothing at a path that is none of a record', async () => {
    await mkdir(join(directory, 'directory'))
    await writeFile(join(directory, 'note'), 'x'.repeat(10_000))
    for (const [name, code] of [
      ['directory', 'SIGNING_RECORD_CORRUPT'],
      ['note', 'SIGNING_RECORD_CORRUPT'],
      ['absent/record', 'DIRECTORY_MISSING'],
    ] as const) {
      const opened = FileSigningRecord.open({ path: join(directory, name), owner })
      await expect(opened).rejects.toMatchObject({ name: 'KeyError', code })
    }
    expect(await readdir(directory)).toEqual(['directory', 'note'])
  })

  it('refuses the record of another key', async () => {
    await save(at(1))
    for (const other of [
      { publicKey: `0x${'02'.repeat(48)}` },
      { l1ChainId: 1 },
      { rollup: `0x${'12'.repeat(20)}` },
    ] as const)
      await expect(FileSigningRecord.open({ path, owner: { ...owner, ...other } })).rejects.toMatchObject({
        code: 'SIGNING_RECORD_FOREIGN',
        message: expect.stringContaining('another key'),
      })
    expect(await load()).toEqual(at(1))
  })

  it('keeps lock, floor and stop, and says whose it is', async () => {
    const stop = { reason: 'SIGNING_RECORD_BEHIND', kind: 'attestation', at: 7, round: 0 } as const
    const lock = { height: 3, round: 1, blockHash: `0x${'cd'.repeat(32)}` } as const
    const record: SigningRecord = { ...at(3), lock, floor: 12, stop }
    await save(record)
    expect(await load()).toEqual(record)
    const store = await FileSigningRecord.openExisting(path)
    expect(store.owner).toEqual(owner)
    await store.close()
    await expect(FileSigningRecord.openExisting(`${path}-none`)).rejects.toMatchObject({
      code: 'SIGNING_RECORD_MISSING',
    })
  })

  it('is open once at a time, and free again after its close', async () => {
    const store = await FileSigningRecord.open({ path, owner })
    await expect(load()).rejects.toMatchObject({ code: 'SIGNING_RECORD_LOCKED' })
    await store.close()
    await expect(store.save(at(1))).rejects.toMatchObject({ code: 'SIGNING_RECORD_UNWRITABLE' })
    expect(await load()).toEqual(emptyRecord)
  })

  it('is one record by whatever name it is opened', async () => {
    await save(at(1))
    const alias = join(directory, 'alias')
    await symlink(path, alias)
    const store = await FileSigningRecord.open({ path: alias, owner })
    await expect(load()).rejects.toMatchObject({ code: 'SIGNING_RECORD_LOCKED' })
    await store.save(at(2))
    await store.close()
    expect(await load()).toEqual(at(2))
    await link(path, join(directory, 'second-name'))
    const shared = { code: 'SIGNING_RECORD_SHARED' }
    await expect(load()).rejects.toMatchObject({
      ...shared,
      message: expect.stringContaining(join(directory, 'second-name')),
    })
    await mkdir(join(directory, 'elsewhere'))
    await rename(join(directory, 'second-name'), join(directory, 'elsewhere', 'name'))
    const { ino } = await stat(path)
    await expect(load()).rejects.toMatchObject({ ...shared, message: expect.stringContaining(`-inum ${ino}`) })
  })

  it('refuses a file that was cut off, wherever, instead of going back to the record before the last', async () => {
    const whole = await save(at(1), at(2), at(3))
    for (const length of [0, 1, 4_095, 4_096, 6_000, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, length))
      await expect(load()).rejects.toMatchObject({ code: 'SIGNING_RECORD_CORRUPT' })
    }
  })

  it('says whether there was one', async () => {
    for (const isNew of [true, false]) {
      const store = await FileSigningRecord.open({ path, owner })
      expect(store.isNew).toBe(isNew)
      await store.close()
    }
  })

  it('is free again when its process was killed, not before', async () => {
    const script = `import(${JSON.stringify(new URL('./file-signing-record.js', import.meta.url).href)}).then(async m => {
      await m.FileSigningRecord.open({ path: ${JSON.stringify(path)}, owner: ${JSON.stringify(owner)} })
      console.log('open')
      setInterval(() => {}, 1000)
    })`
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    await expect(load()).rejects.toMatchObject({ code: 'SIGNING_RECORD_LOCKED' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await load()).toEqual(emptyRecord)
  })
})
