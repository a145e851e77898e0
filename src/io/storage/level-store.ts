import { setTimeout as sleep } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import type { KeyValueStore, StoreChange } from './key-value-store.js'
import { StorageError, systemCode } from './storage-error.js'

type Level = ClassicLevel<Uint8Array, Uint8Array>

const lockRetryMs = 50

/**
 * KeyValueStore on LevelDB; one process at a time, and one thread of it unless all open it `shared`, of which one writes. After a
 * write that failed it is only read: STORE_FAILED, until it is opened again.
 */
export class LevelStore implements KeyValueStore {
  private tail: Promise<unknown> = Promise.resolve()
  /** LevelDB goes on behind a record that was half written, and forgets at its next open all that came after it. */
  private broken: StorageError | null = null

  private constructor(
    private readonly level: Level,
    private readonly path: string,
  ) {}

  /**
   * Opens the store in the directory, creating both when absent; `cacheBytes` bounds its block cache, `writeBufferBytes` what it
   * keeps in memory before it writes a table. A process that was just killed holds its lock until the system has torn it
   * down: the lock is awaited for `lockWaitMs`.
   * @throws StorageError STORE_LOCKED, STORE_CORRUPT, DISK_FULL, STORE_FAILED
   */
  static async open({
    path,
    cacheBytes = 64 << 20,
    writeBufferBytes = 4 << 20,
    shared = false,
    lockWaitMs = 0,
  }: {
    path: string
    cacheBytes?: number
    writeBufferBytes?: number
    shared?: boolean
    lockWaitMs?: number
  }): Promise<LevelStore> {
    const level: Level = new ClassicLevel(path, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: cacheBytes,
      writeBufferSize: writeBufferBytes,
      multithreading: shared,
    })
    for (let waitedMs = 0; ; waitedMs += lockRetryMs) {
      try {
        await level.open()
        return new LevelStore(level, path)
      } catch (error) {
        const failure = openFailure(error, path)
        if (failure.code !== 'STORE_LOCKED' || waitedMs >= lockWaitMs) throw failure
      }
      await sleep(lockRetryMs)
    }
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      const value = this.level.getSync(key)
      // LevelDB gives a Buffer, whose slice shares memory where that of other arrays copies.
      return value && new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    } catch (error) {
      throw this.failure(error)
    }
  }

  /** One after the other: none is under way when another fails. @throws StorageError DISK_FULL, STORE_FAILED, STORE_CLOSED */
  write(changes: readonly StoreChange[], { sync = false }: { sync?: boolean } = {}): Promise<void> {
    const written = this.tail.then(() => this.writeNow(changes, sync))
    this.tail = written.catch(() => {})
    return written
  }

  async *entries({
    from,
    to,
    reverse = false,
    limit = -1,
  }: {
    from: Uint8Array
    to: Uint8Array
    reverse?: boolean
    limit?: number
  }): AsyncGenerator<readonly [Uint8Array, Uint8Array]> {
    try {
      yield* this.level.iterator({ gte: from, lt: to, reverse, limit })
    } catch (error) {
      throw this.failure(error)
    }
  }

  /** Writes what was handed in, then closes. */
  async close(): Promise<void> {
    await this.tail
    await this.level.close()
  }

  private async writeNow(changes: readonly StoreChange[], sync: boolean): Promise<void> {
    if (this.broken) throw this.brokenError(this.broken)
    try {
      // A chained batch takes a third of the time of an array of operations.
      const batch = this.level.batch()
      for (const { key, value } of changes) {
        if (value === undefined) batch.del(key)
        else batch.put(key, value)
      }
      await batch.write({ sync })
    } catch (error) {
      const failure = this.failure(error)
      if (failure.code !== 'STORE_CLOSED') this.broken = failure
      throw failure
    }
  }

  private brokenError(cause: StorageError): StorageError {
    const { path } = this
    const message = `the store ${path} takes no more writes until it is opened again, for one failed: ${cause.message}`
    return new StorageError('STORE_FAILED', message, { path }, { cause })
  }

  private failure(error: unknown): StorageError {
    const { path } = this
    const cause = { cause: error }
    const text = String((error as Error)?.message ?? error)
    if (systemCode(error) === 'LEVEL_DATABASE_NOT_OPEN')
      return new StorageError('STORE_CLOSED', `the store ${path} is closed`, { path }, cause)
    if (isDiskFull(text))
      return new StorageError('DISK_FULL', `no space is left on the disk of ${path}`, { path }, cause)
    if (systemCode(error) === 'LEVEL_CORRUPTION')
      return new StorageError('STORE_CORRUPT', `the store ${path} is damaged: ${text}`, { path }, cause)
    return new StorageError('STORE_FAILED', `${path}: ${text}`, { path }, cause)
  }
}

const isDiskFull = (text: string) => /no space left|quota exceeded/i.test(text)

function openFailure(error: unknown, path: string): StorageError {
  const inner = (error as { cause?: unknown })?.cause ?? error
  const cause = { cause: error }
  const text = String((inner as Error)?.message ?? inner)
  if (systemCode(inner) === 'LEVEL_LOCKED')
    return new StorageError(
      'STORE_LOCKED',
      `the store ${path} is in use by another process: is a node already running on this data directory?`,
      { path },
      cause,
    )
  if (isDiskFull(text)) return new StorageError('DISK_FULL', `no space is left on the disk of ${path}`, { path }, cause)
  if (systemCode(inner) === 'LEVEL_CORRUPTION')
    return new StorageError('STORE_CORRUPT', `the store ${path} is damaged: ${text}`, { path }, cause)
  return new StorageError('STORE_FAILED', `the store ${path} cannot be opened: ${text}`, { path }, cause)
}
