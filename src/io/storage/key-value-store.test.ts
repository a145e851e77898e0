import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bytesToHex, compareBytes } from '../../base/primitives/bytes.js'
import type { KeyValueStore } from './key-value-store.js'
import { LevelStore } from './level-store.js'
import { MemoryStore } from './memory-store.js'

const bytes = (...values: number[]) => Uint8Array.from(values)
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** Opens a store; `again` opens it after a close with what it held. */
const kinds: [string, () => Promise<{ store: KeyValueStore; again: () => Promise<KeyValueStore> }>][] = [
  [
    'LevelStore',
    async () => {
      const open = () => LevelStore.open({ path: join(directory, 'db') })
      return { store: await open(), again: open }
    },
  ],
  [
    'MemoryStore',
    async () => {
      const store = new MemoryStore()
      return {
        store,
        again: async () => {
          store.reopen()
          return store
        },
      }
    },
  ],
]

async function list(store: KeyValueStore, range: Parameters<KeyValueStore['entries']>[0]) {
  const found: string[] = []
  for await (const [key, value] of store.entries(range)) found.push(`${bytesToHex(key)}=${bytesToHex(value)}`)
  return found
}

describe.each(kinds)('KeyValueStore: %s', (_, open) => {
  it('reads what was written, forgets what was deleted, keeps it over a reopening', async () => {
    const { store, again } = await open()
    await store.write([
      { key: bytes(1), value: bytes(10) },
      { key: bytes(2), value: bytes() },
    ])
    await store.write([{ key: bytes(1), value: undefined }], { sync: true })
    expect(store.get(bytes(1))).toBeUndefined()
    expect(store.get(bytes(2))).toHaveLength(0)
    expect(store.get(bytes(3))).toBeUndefined()
    await store.close()
    const reopened = await again()
    expect(reopened.get(bytes(1))).toBeUndefined()
    expect(reopened.get(bytes(2))).toHaveLength(0)
    await reopened.close()
  })

  it('lets the last of two changes to one key in one batch win', async () => {
    const { store } = await open()
    await store.write([
      { key: bytes(1), value: bytes(1) },
      { key: bytes(1), value: bytes(2) },
    ])
    expect([...store.get(bytes(1))!]).toEqual([2])
    await store.close()
  })

  it('walks a range in key order, half open, both ways, limited', async () => {
    const { store } = await open()
    const keys = [bytes(), bytes(0), bytes(0, 0), bytes(0, 255), bytes(1), bytes(127), bytes(128), bytes(255, 255)]
    await store.write([...keys].reverse().map(key => ({ key: Uint8Array.of(7, ...key), value: key })))
    const names = keys.map(key => `${bytesToHex(Uint8Array.of(7, ...key))}=${bytesToHex(key)}`)
    const all = { from: bytes(7), to: bytes(8) }
    expect(await list(store, all)).toEqual(names)
    expect(await list(store, { ...all, reverse: true })).toEqual([...names].reverse())
    expect(await list(store, { ...all, limit: 3 })).toEqual(names.slice(0, 3))
    expect(await list(store, { ...all, limit: 2, reverse: true })).toEqual([...names].reverse().slice(0, 2))
    expect(await list(store, { from: bytes(7, 0), to: bytes(7, 127) })).toEqual(names.slice(1, 5))
    expect(await list(store, { from: bytes(9), to: bytes(10) })).toEqual([])
    await store.close()
  })

  it('keeps a walk on the entries of its beginning', async () => {
    const { store } = await open()
    await store.write([1, 2, 3].map(n => ({ key: bytes(n), value: bytes(n) })))
    const walk = store.entries({ from: bytes(0), to: bytes(9) })[Symbol.asyncIterator]()
    expect((await walk.next()).value![0]).toHaveLength(1)
    await store.write([
      { key: bytes(3), value: undefined },
      { key: bytes(4), value: bytes(4) },
    ])
    const rest: number[] = []
    for (let next = await walk.next(); !next.done; next = await walk.next()) rest.push(next.value[0]![0]!)
    expect(rest).toEqual([2, 3])
    await store.close()
  })

  it('agrees with a plain map under any changes', async () => {
    const key = fc.uint8Array({ maxLength: 3 })
    const change = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }) })
    const { store } = await open()
    const model = new Map<string, Uint8Array>()
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 8 }), key, key, async (changes, from, to) => {
        await store.write(changes)
        for (const { key, value } of changes) {
          if (value) model.set(bytesToHex(key), value)
          else model.delete(bytesToHex(key))
        }
        const want = [...model]
          .map(([k, v]) => [Uint8Array.from(Buffer.from(k.slice(2), 'hex')), v] as const)
          .filter(([k]) => compareBytes(k, from) >= 0 && compareBytes(k, to) < 0)
          .sort(([a], [b]) => compareBytes(a, b))
          .map(([k, v]) => `${bytesToHex(k)}=${bytesToHex(v)}`)
        expect(await list(store, { from, to })).toEqual(want)
      }),
      { numRuns: 50 },
    )
    await store.close()
  })

  it('refuses work after its close with STORE_CLOSED', async () => {
    const { store } = await open()
    await store.close()
    expect(() => store.get(bytes(1))).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }))
    await expect(store.write([{ key: bytes(1), value: bytes(1) }])).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await expect(list(store, { from: bytes(0), to: bytes(1) })).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
})

describe('LevelStore', () => {
  it('says that the store is in use when it is', async () => {
    const path = join(directory, 'db')
    const store = await LevelStore.open({ path })
    await expect(LevelStore.open({ path })).rejects.toMatchObject({
      name: 'StorageError',
      code: 'STORE_LOCKED',
      message: expect.stringContaining('in use by another process'),
    })
    await store.close()
  })

  it('waits for the lock of a process that is about to be gone', async () => {
    const path = join(directory, 'db')
    const dying = await LevelStore.open({ path })
    const opened = LevelStore.open({ path, lockWaitMs: 5_000 })
    await sleep(120)
    await dying.close()
    await (await opened).close()
  })

  it('says that the path cannot be opened when it is a file', async () => {
    const path = join(directory, 'file')
    await writeFile(path, 'x')
    await expect(LevelStore.open({ path })).rejects.toMatchObject({ name: 'StorageError', code: 'STORE_FAILED' })
  })

  it('says that a damaged store is damaged', async () => {
    const path = join(directory, 'db')
    const store = await LevelStore.open({ path })
    await store.close()
    await writeFile(join(path, 'CURRENT'), 'garbage')
    await expect(LevelStore.open({ path })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  describe('once a write has failed', () => {
    const path = () => join(directory, 'db')
    const put = (store: KeyValueStore, n: number) => store.write([{ key: bytes(n), value: bytes(n) }], { sync: true })

    /** A store that holds 1 and 2, and failed to write 3 for want of space, part of which may be on the disk. */
    async function broken() {
      const store = await LevelStore.open({ path: path() })
      await put(store, 1)
      await put(store, 2)
      await failNextWrite(new Error(`IO error: ${path()}/000003.log: No space left on device`))
      await expect(put(store, 3)).rejects.toMatchObject({ name: 'StorageError', code: 'DISK_FULL' })
      return store
    }

    async function failNextWrite(error: Error) {
      const level = new ClassicLevel(join(directory, 'any'))
      await level.open()
      const batch = level.batch()
      vi.spyOn(Object.getPrototypeOf(batch) as typeof batch, 'write').mockRejectedValueOnce(error)
      await batch.close()
      await level.close()
    }
    afterEach(() => vi.restoreAllMocks())

    it('takes no other, and says why', async () => {
      const store = await broken()
      for (let i = 0; i < 2; i++) {
        await expect(put(store, 4)).rejects.toMatchObject({
          name: 'StorageError',
          code: 'STORE_FAILED',
          message: expect.stringMatching(/takes no more writes .* no space is left on the disk/),
          data: { path: path() },
        })
      }
      await store.close()
    })

    it('is read as before, and opens again with what was acknowledged, to be written on', async () => {
      const store = await broken()
      expect(store.get(bytes(2))).toEqual(bytes(2))
      expect(store.get(bytes(3))).toBeUndefined()
      await store.close()
      const again = await LevelStore.open({ path: path() })
      expect(await list(again, { from: bytes(), to: bytes(255) })).toEqual(['0x01=0x01', '0x02=0x02'])
      await put(again, 4)
      expect(again.get(bytes(4))).toEqual(bytes(4))
      await again.close()
    })

    it('refuses what was handed in while it failed: it would lie behind a torn record', async () => {
      const store = await LevelStore.open({ path: path() })
      await failNextWrite(new Error('IO error: disk quota exceeded'))
      const [first, second] = await Promise.allSettled([put(store, 1), put(store, 2)])
      expect(first).toMatchObject({ status: 'rejected', reason: { code: 'DISK_FULL' } })
      expect(second).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FAILED' } })
      await store.close()
    })
  })

  it('writes what was handed in before its close', async () => {
    const path = join(directory, 'db')
    const store = await LevelStore.open({ path })
    const writes = [1, 2, 3].map(n => store.write([{ key: bytes(n), value: bytes(n) }]))
    await store.close()
    await Promise.all(writes)
    const again = await LevelStore.open({ path })
    expect(again.get(bytes(3))).toEqual(bytes(3))
    await again.close()
  })
})
