import { constants, type FileHandle, link, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type AppendLog, requireFitting } from './append-log.js'
import { encodeFrame, frameHeadLength, readFrames, recordPrefixLength } from './log-frames.js'
import { fileFailure, StorageError, systemCode } from './storage-error.js'
import { syncDirectory } from './sync-directory.js'

/** A write is durable when it returns (O_DSYNC), without a second trip through the thread pool. */
const durableWrites = constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC

/** Where the log that came before the one at this path is kept. */
export const logBefore = (path: string): string => `${path}.1`

/** Records for the next write. A replacement begins others, which no earlier task touches unless it fails. */
class PendingRecords {
  records: Uint8Array[] = []
  length = 0
  queuedSync: Promise<void> | null = null

  add(record: Uint8Array): void {
    this.records.push(record)
    this.length += lengthOf(record)
  }

  /** All of them, to be written. */
  take(): Uint8Array[] {
    const { records } = this
    this.records = []
    this.length = 0
    return records
  }

  /** Takes back what was not written, before what came since. */
  putBack(records: readonly Uint8Array[]): void {
    this.records = [...records, ...this.records]
    this.length = this.records.reduce((sum, record) => sum + lengthOf(record), 0)
  }
}

const lengthOf = (record: Uint8Array): number => recordPrefixLength + record.length

/**
 * AppendLog in one file. Everything between two syncs is one frame (head, then each record with its length), written
 * by one write: what a crash tears is the last frame, and nothing in it was promised to anybody.
 */
export class FileLog implements AppendLog {
  private pending = new PendingRecords()
  private tail: Promise<unknown> = Promise.resolve()
  private closed = false
  /** What failed, but for want of space, and leaves unknown what the disk holds: nothing is promised after it. */
  private broken: unknown = null

  private constructor(
    private readonly path: string,
    private file: FileHandle,
    private length: number,
  ) {}

  /** Opens or creates the log and cuts off a torn end. @throws StorageError LOG_CORRUPT (data.offset), STORE_FAILED */
  static async open({ path }: { path: string }): Promise<FileLog> {
    let file: FileHandle | undefined
    try {
      file = await open(path, durableWrites, 0o600)
      const { end } = readWhole(await file.readFile(), path)
      await file.truncate(end)
      await file.sync()
      await syncDirectory(dirname(path))
      return new FileLog(path, file, end)
    } catch (error) {
      await file?.close()
      throw fileFailure(error, path)
    }
  }

  /**
   * As `open`, for a log whose loss is no danger: a corrupt file is put aside under the name that is returned, and the log
   * goes on with the records before the damage. @throws StorageError STORE_FAILED
   */
  static async openOrSetAside({ path }: { path: string }): Promise<{ log: FileLog; setAside: string | null }> {
    try {
      return { log: await FileLog.open({ path }), setAside: null }
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'LOG_CORRUPT') throw error
      const end = Number(error.data.offset)
      let file: FileHandle | undefined
      try {
        const { records } = readFrames((await readFile(path)).subarray(0, end))
        // The damaged file has its second name before the mended one takes its place: nothing is lost between.
        const setAside = await linkAside(path)
        file = await open(path, durableWrites)
        const log = new FileLog(path, file, end)
        await log.replace(records)
        return { log, setAside }
      } catch (failure) {
        await file?.close()
        throw fileFailure(failure, path)
      }
    }
  }

  readAll(): Promise<Uint8Array[]> {
    const { pending } = this
    return this.exclusive(async () => {
      await this.flush(pending)
      const bytes = Buffer.alloc(this.length)
      await this.file.read(bytes, 0, bytes.length, 0)
      return readWhole(bytes, this.path).records
    })
  }

  append(record: Uint8Array): void {
    this.requireOpen()
    requireFitting(record)
    this.pending.add(Uint8Array.from(record))
  }

  /** Concurrent calls share one write. */
  sync(): Promise<void> {
    const { pending } = this
    pending.queuedSync ??= this.exclusive(() => {
      pending.queuedSync = null
      return this.flush(pending)
    })
    return pending.queuedSync
  }

  replace(records: readonly Uint8Array[]): Promise<void> {
    for (const record of records) requireFitting(record)
    const frame = encodeFrame(records)
    return this.beginNext(() => this.begin(frame, async () => {}))
  }

  turn(): Promise<void> {
    return this.beginNext(async pending => {
      await this.flush(pending)
      const before = logBefore(this.path)
      await this.begin(encodeFrame([]), async () => {
        await rm(before, { force: true })
        await link(this.path, before)
      })
    })
  }

  size(): number {
    return this.length + (this.pending.length && frameHeadLength + this.pending.length)
  }

  /** Syncs what is buffered, then closes. */
  async close(): Promise<void> {
    if (this.closed) return
    const last = this.sync()
    this.closed = true
    try {
      await last
    } finally {
      await this.file.close()
    }
  }

  /** Runs what ends with another log in the place of this one. If it fails, this one goes on, and loses nothing that waits. */
  private beginNext(task: (pending: PendingRecords) => Promise<void>): Promise<void> {
    this.requireOpen()
    const { pending } = this
    const next = new PendingRecords()
    this.pending = next
    return this.exclusive(async () => {
      try {
        await task(pending)
      } catch (error) {
        next.putBack(pending.take())
        throw error
      }
    })
  }

  /** Puts a file with this frame in the place of the log, atomically; `prepare` comes last before that. */
  private async begin(frame: Uint8Array, prepare: () => Promise<void>): Promise<void> {
    const temporary = `${this.path}.new`
    const file = await open(temporary, durableWrites | constants.O_TRUNC, 0o600)
    try {
      await writeFully(file, frame, 0)
      await prepare()
      await rename(temporary, this.path)
    } catch (error) {
      await file.close()
      throw error
    }
    const old = this.file
    this.file = file
    this.length = frame.length
    try {
      await old.close()
      await syncDirectory(dirname(this.path))
    } catch (error) {
      // A crash may bring the old file back under this name, without what is written from now on.
      this.broken = error
      throw error
    }
  }

  private async flush(pending: PendingRecords): Promise<void> {
    const records = pending.take()
    if (records.length === 0) return
    const frame = encodeFrame(records)
    try {
      await writeFully(this.file, frame, this.length)
    } catch (error) {
      if (fileFailure(error, this.path).code !== 'DISK_FULL') this.broken = error
      pending.putBack(records)
      await this.file.truncate(this.length).catch(failure => {
        this.broken ??= failure
      })
      throw error
    }
    this.length += frame.length
  }

  /** Runs one task on the file at a time, in the order of the calls. */
  private exclusive<T>(task: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(this.closedError())
    const run = this.tail.then(() => {
      if (this.broken) throw this.broken
      return task()
    })
    this.tail = run.catch(() => {})
    return run.catch(error => {
      throw fileFailure(error, this.path)
    })
  }

  private requireOpen(): void {
    if (this.closed) throw this.closedError()
  }

  private closedError(): StorageError {
    return new StorageError('STORE_CLOSED', `the log ${this.path} is closed`, { path: this.path })
  }
}

/**
 * The records of a log that may be in use or belong to a dead node: the file is opened to read and stays as it is. Ends
 * at a torn frame; `corruptAt` is the byte where what follows cannot be read. @throws StorageError STORE_FAILED
 */
export async function readFileLog(
  path: string,
): Promise<{ records: Uint8Array[]; corruptAt: number | null; isTorn: boolean }> {
  try {
    const bytes = await readFile(path)
    const { records, corruptAt, end } = readFrames(bytes)
    return { records, corruptAt, isTorn: end < bytes.length }
  } catch (error) {
    throw fileFailure(error, path)
  }
}

/** @throws StorageError LOG_CORRUPT */
function readWhole(bytes: Buffer, path: string): { records: Uint8Array[]; end: number } {
  const { records, end, corruptAt } = readFrames(bytes)
  if (corruptAt === null) return { records, end }
  throw new StorageError('LOG_CORRUPT', `the log ${path} is corrupt at byte ${corruptAt}`, { path, offset: corruptAt })
}

/** Gives the file a second name that nothing has yet. */
async function linkAside(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? `${path}.corrupt` : `${path}.corrupt-${number}`
    try {
      await link(path, name)
      return name
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }
}

/** A write may stop short (a full disk, a signal): goes on until all is written or the system says why not. */
async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
