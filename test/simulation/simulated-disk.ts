import { emptyRecord, type SigningRecord, type SigningRecordStore } from '../../src/io/keys/signing-record.js'
import { type AppendLog, requireFitting } from '../../src/io/storage/append-log.js'
import type { KeyValueStore, StoreChange } from '../../src/io/storage/key-value-store.js'
import { encodeFrame, readFrames } from '../../src/io/storage/log-frames.js'
import { MemoryStore } from '../../src/io/storage/memory-store.js'
import { StorageError } from '../../src/io/storage/storage-error.js'
import { type Clock, pause } from '../../src/io/time/clock.js'
import type { ProcessLife } from './process-life.js'

/** How a crash leaves a disk. */
export interface DiskCrash {
  /** Whether the machine lost power: then writes that were not synced may be gone too. */
  readonly power: boolean
  /** In [0, 1): how much of what was being written got to the disk, to the byte. */
  readonly torn: number
}

/** The disk of one machine: its files outlive its processes. */
export class SimulatedDisk {
  syncMs = 1
  isFull = false
  readonly wal = new SimulatedLog(this)
  readonly journal = new SimulatedLog(this)
  readonly store = new SimulatedStore(this)
  readonly chain = new SimulatedStore(this)
  readonly signingRecord = new SimulatedRecord(this)

  constructor(private readonly time: Clock) {}

  crash(crash: DiskCrash): void {
    for (const file of [this.wal, this.journal, this.store, this.chain, this.signingRecord]) file.crash(crash)
  }

  /** The time that a write takes. @throws StorageError DISK_FULL */
  async write(): Promise<void> {
    if (this.syncMs > 0) await pause(this.time, this.syncMs)
    if (this.isFull) throw new StorageError('DISK_FULL', 'no space is left on the simulated disk')
  }
}

/** Records for the next write. A replacement begins others. */
interface PendingRecords {
  records: Uint8Array[]
  queuedSync: Promise<void> | null
}

/** A log file, to the byte where it matters: the frame that is being written when the machine stops is cut anywhere. */
export class SimulatedLog {
  private records: Uint8Array[] = []
  private bytes = 0
  /** Records of the frame that is being written; null between writes. */
  private writing: Uint8Array[] | null = null

  constructor(private readonly disk: SimulatedDisk) {}

  open(life: ProcessLife): AppendLog {
    let pending: PendingRecords = { records: [], queuedSync: null }
    let queue: Promise<unknown> = Promise.resolve()
    let isClosed = false
    const requireOpen = () => {
      if (isClosed) throw new StorageError('STORE_CLOSED', 'the simulated log is closed')
    }
    const inTurn = async (task: () => Promise<void>) => {
      requireOpen()
      const run = queue.then(() => life.sees(task()))
      queue = run.catch(() => {})
      return run
    }
    const flush = async (of: PendingRecords) => {
      of.queuedSync = null
      const { records } = of
      of.records = []
      if (records.length === 0) return
      this.writing = records
      try {
        await this.disk.write()
        if (life.isAlive) this.add(records)
      } catch (error) {
        of.records = [...records, ...of.records]
        throw error
      } finally {
        if (life.isAlive) this.writing = null
      }
    }
    const sync = () => {
      const of = pending
      of.queuedSync ??= inTurn(() => flush(of))
      return of.queuedSync
    }
    const replace = (records: readonly Uint8Array[]) => {
      pending = { records: [], queuedSync: null }
      const copies = records.map(record => Uint8Array.from(record))
      return inTurn(async () => {
        await this.disk.write()
        if (!life.isAlive) return
        this.records = []
        this.bytes = 0
        this.add(copies)
      })
    }
    return {
      readAll: async () => {
        await sync()
        return this.records.map(record => Uint8Array.from(record))
      },
      append(record) {
        requireOpen()
        requireFitting(record)
        if (life.isAlive) pending.records.push(new Uint8Array(record))
      },
      sync,
      replace,
      turn: () => replace([]),
      size: () => pending.records.reduce((sum, record) => sum + record.length, this.bytes),
      close: async () => {
        if (isClosed) return
        const last = sync()
        isClosed = true
        await last
      },
    }
  }

  /** The operator deletes the file. */
  delete(): void {
    this.records = []
    this.bytes = 0
    this.writing = null
  }

  crash({ torn }: DiskCrash): void {
    const { writing } = this
    this.writing = null
    if (!writing) return
    const frame = encodeFrame(writing)
    this.add(readFrames(frame.subarray(0, Math.floor(frame.length * torn * 1.1))).records)
  }

  private add(records: readonly Uint8Array[]): void {
    for (const record of records) {
      this.records.push(record)
      this.bytes += record.length
    }
  }
}

/** A store whose writes without sync may be lost with the power, the newest first. As LevelStore, one write that fails is its last. */
export class SimulatedStore {
  private readonly content = new MemoryStore()
  /** What undoes each write since the last that was synced. */
  private unsynced: (readonly StoreChange[])[] = []

  constructor(private readonly disk: SimulatedDisk) {}

  open(life: ProcessLife): KeyValueStore {
    const { content } = this
    let tail: Promise<unknown> = Promise.resolve()
    let isBroken = false
    const write = async (changes: readonly StoreChange[], sync: boolean) => {
      if (isBroken) throw new StorageError('STORE_FAILED', 'the simulated store takes no more writes, for one failed')
      try {
        await this.write(life, changes, sync)
      } catch (error) {
        isBroken = true
        throw error
      }
    }
    return {
      get: key => content.get(key),
      entries: range => content.entries(range),
      write: (changes, options) => {
        const written = tail.then(() => write(changes, options?.sync ?? false))
        tail = written.catch(() => {})
        return life.sees(written)
      },
      close: async () => {},
    }
  }

  crash({ power, torn }: DiskCrash): void {
    if (!power) return
    const lost = this.unsynced.slice(Math.floor(this.unsynced.length * torn))
    for (const undo of lost.reverse()) void this.content.write(undo)
    this.unsynced = []
  }

  private async write(life: ProcessLife, changes: readonly StoreChange[], sync: boolean): Promise<void> {
    await this.disk.write()
    if (!life.isAlive) return
    if (sync) this.unsynced = []
    else this.unsynced.push(changes.map(({ key }) => ({ key, value: this.content.get(key) })))
    await this.content.write(changes)
  }
}

/** The file of a signer. */
export class SimulatedRecord {
  private record = emptyRecord

  constructor(private readonly disk: SimulatedDisk) {}

  open(life: ProcessLife): SigningRecordStore {
    return {
      load: () => this.record,
      save: record => life.sees(this.save(life, record)),
      close: async () => {},
    }
  }

  crash(_: DiskCrash): void {}

  private async save(life: ProcessLife, record: SigningRecord): Promise<void> {
    await this.disk.write()
    if (life.isAlive) this.record = record
  }
}
