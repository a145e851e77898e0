import { existsSync } from 'node:fs'
import { constants, type FileHandle, lstat, open, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { keccak256 } from '../../base/crypto/keccak.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { asciiToBytes, bytesEqual, concatBytes, type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { KeyError } from './key-error.js'
import { requireDirectoryOf, writePrivateFile } from './private-file.js'
import { lockRecord, type RecordLock } from './record-lock.js'
import {
  decodeStop,
  emptyRecord,
  encodeStop,
  type LockedBlock,
  type SignedPosition,
  type SigningRecord,
  type SigningRecordStore,
} from './signing-record.js'

/** Name of the record in a node's data directory. */
export const signingRecordName = 'signing-record'
/** Two slots on pages of their own: a write that is torn spoils one, and the other holds the record before it. */
const slotLength = 4096
const hashLength = 32
const magic = asciiToBytes('morphism signing record 2\n')

/** Whose record a file holds: one key on one network. */
export interface RecordOwner extends SigningDomain {
  /** 48 bytes compressed. */
  readonly publicKey: Hex
}

/**
 * SigningRecordStore in a file of two slots written in turn, each sealed by a hash. The file belongs to one owner
 * and one process at a time.
 */
export class FileSigningRecord implements SigningRecordStore {
  private saving: Promise<void> = Promise.resolve()
  private queued: Promise<void> | null = null
  private closed = false

  private constructor(
    private readonly path: string,
    readonly owner: RecordOwner,
    /** Whether there was none before this opened it. */
    readonly isNew: boolean,
    private readonly lock: RecordLock,
    private readonly file: FileHandle,
    private record: SigningRecord,
    private sequence: number,
  ) {}

  /**
   * Opens the record, creating it when there is none. @throws KeyError SIGNING_RECORD_CORRUPT (unreadable),
   * SIGNING_RECORD_FOREIGN (of another key or network), SIGNING_RECORD_LOCKED, SIGNING_RECORD_SHARED (has a second name),
   * DIRECTORY_MISSING
   */
  static async open({ path, owner }: { path: string; owner: RecordOwner }): Promise<FileSigningRecord> {
    return FileSigningRecord.openLocked(path, owner)
  }

  /** Opens a record that exists, whoever owns it. @throws KeyError SIGNING_RECORD_MISSING, SIGNING_RECORD_CORRUPT, SIGNING_RECORD_LOCKED */
  static async openExisting(path: string): Promise<FileSigningRecord> {
    if (!existsSync(path))
      throw new KeyError('SIGNING_RECORD_MISSING', `there is no signing record at ${path}`, { path })
    return FileSigningRecord.openLocked(path, null)
  }

  private static async openLocked(path: string, owner: RecordOwner | null): Promise<FileSigningRecord> {
    requireDirectoryOf(path)
    const real = await realPath(path)
    // The lock is a directory beside the record: none is left beside what is no record.
    if (existsSync(real)) await requireRecordFile(real)
    return FileSigningRecord.openReal(real, owner)
  }

  private static async openReal(path: string, owner: RecordOwner | null): Promise<FileSigningRecord> {
    const lock = await lockRecord(path)
    let file: FileHandle | undefined
    try {
      const isNew = owner !== null && !existsSync(path)
      if (isNew) await create(path, owner)
      // O_DSYNC: a write is durable when it returns, without a second trip through the thread pool.
      file = await open(path, constants.O_RDWR | constants.O_DSYNC)
      const { nlink, ino } = await file.stat()
      if (nlink > 1) throw await shared(path, ino)
      const found = readSlots(await file.readFile(), path)
      if (owner && !isSameOwner(found.owner, owner)) throw foreign(path, found.owner)
      return new FileSigningRecord(path, found.owner, isNew, lock, file, found.record, found.sequence)
    } catch (error) {
      await file?.close()
      await lock.release()
      if (error instanceof KeyError) throw error
      throw corrupt(path, `cannot be read: ${(error as Error).message}`, error)
    }
  }

  load(): SigningRecord {
    return this.record
  }

  /** Calls that overlap share one write of the newest record. */
  save(record: SigningRecord): Promise<void> {
    if (this.closed) return Promise.reject(unwritable(this.path, new Error('it is closed')))
    this.record = record
    if (!this.queued) {
      this.queued = this.saving.then(() => {
        this.queued = null
        return this.write()
      })
      this.saving = this.queued.catch(() => {})
    }
    return this.queued
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.saving
    await this.file.close()
    await this.lock.release()
  }

  private async write(): Promise<void> {
    const sequence = this.sequence + 1
    const slot = encodeSlot({ record: this.record, sequence, owner: this.owner })
    try {
      const { bytesWritten } = await this.file.write(slot, 0, slot.length, (sequence % 2) * slotLength)
      if (bytesWritten !== slot.length) throw new RangeError(`only ${bytesWritten} bytes were written`)
    } catch (error) {
      // The same slot is written by the next save: the other one still holds the last durable record.
      throw unwritable(this.path, error)
    }
    this.sequence = sequence
  }
}

interface Slot {
  readonly record: SigningRecord
  readonly sequence: number
  readonly owner: RecordOwner
}

function encodeSlot({ record, sequence, owner }: Slot): Uint8Array {
  const { proposal, prevote, precommit, attestation, lock, floor, stop } = record
  const body = encodeRlp([
    rlpUint(sequence),
    [hexToBytes(owner.publicKey), rlpUint(owner.l1ChainId), rlpHex(owner.rollup)],
    ...[proposal, prevote, precommit].map(p => [rlpUint(p.height), rlpUint(p.round), rlpHex(p.digest)]),
    [rlpUint(attestation.batchIndex), rlpHex(attestation.digest)],
    rlpUint(floor),
    encodeStop(stop),
    [rlpUint(lock.height), rlpUint(lock.round), rlpHex(lock.blockHash)],
  ])
  const length = Uint8Array.of(body.length >> 8, body.length & 255)
  const sealed = concatBytes(magic, length, body)
  return concatBytes(sealed, keccak256(sealed))
}

/** The slot's content; null when its seal does not hold. */
function decodeSlot(bytes: Uint8Array): Slot | null {
  const start = magic.length + 2
  const end = start + (bytes[start - 2]! << 8) + bytes[start - 1]!
  if (end + hashLength > bytes.length || !bytesEqual(bytes.subarray(0, magic.length), magic)) return null
  if (!bytesEqual(keccak256(bytes.subarray(0, end)), bytes.subarray(end, end + hashLength))) return null
  const fields = RlpFields.decode(bytes.subarray(start, end), 'signing record')
  const position = (): SignedPosition => {
    const signed = fields.fields('signed position')
    return { height: signed.safeUint(), round: signed.safeUint(), digest: signed.hash() }
  }
  const sequence = fields.safeUint()
  const of = fields.fields('owner')
  const owner = { publicKey: of.hex(48), l1ChainId: of.safeUint(), rollup: of.address() }
  const [proposal, prevote, precommit] = [position(), position(), position()]
  const last = fields.fields('signed attestation')
  const attestation = { batchIndex: last.safeUint(), digest: last.hash() }
  const floor = fields.safeUint()
  const stop = decodeStop(fields.fields('stop'))
  // Records of before there were locks end here.
  const lock = fields.remaining === 0 ? emptyRecord.lock : readLock(fields.fields('lock'))
  return { sequence, owner, record: { proposal, prevote, precommit, attestation, lock, floor, stop } }
}

function readLock(fields: RlpFields): LockedBlock {
  return { height: fields.safeUint(), round: fields.safeUint(), blockHash: fields.hash() }
}

/** Writes the empty record whole or not at all: an empty or short file is never a beginning, always a loss. */
async function create(path: string, owner: RecordOwner): Promise<void> {
  const content = new Uint8Array(2 * slotLength)
  content.set(encodeSlot({ record: emptyRecord, sequence: 0, owner }))
  await writePrivateFile({ path, content })
}

/** The path itself and not a link to it: a file is locked by its path. */
async function realPath(path: string): Promise<string> {
  if (existsSync(path)) return realpath(path)
  return join(await realpath(dirname(path)), basename(path))
}

/** Another process may write it meanwhile: only what no write changes is looked at. @throws KeyError SIGNING_RECORD_CORRUPT */
async function requireRecordFile(path: string): Promise<void> {
  if (!(await stat(path)).isFile()) throw corrupt(path, 'is no file')
  const file = await open(path).catch(error => {
    throw corrupt(path, `cannot be read: ${error.message}`, error)
  })
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2 * slotLength), 0, 2 * slotLength, 0)
    if (bytesRead < buffer.length) throw corrupt(path, `is cut off after ${bytesRead} bytes`)
    const beginsSlot = (at: number) => bytesEqual(buffer.subarray(at, at + magic.length), magic)
    if (!beginsSlot(0) && !beginsSlot(slotLength)) throw corrupt(path, 'is no record, or was overwritten')
  } finally {
    await file.close()
  }
}

function readSlots(bytes: Uint8Array, path: string): Slot {
  if (bytes.length < 2 * slotLength) throw corrupt(path, `is cut off after ${bytes.length} bytes`)
  const slots = [0, slotLength]
    .map(at => decodeSlot(bytes.subarray(at, at + slotLength)))
    .filter(slot => slot !== null)
    .sort((a, b) => b.sequence - a.sequence)
  const newest = slots[0]
  if (!newest) throw corrupt(path, 'holds no whole record')
  return newest
}

/** Whether both are the same key on the same network. */
export function isSameOwner(a: RecordOwner, b: RecordOwner): boolean {
  return a.publicKey === b.publicKey && a.l1ChainId === b.l1ChainId && a.rollup.toLowerCase() === b.rollup.toLowerCase()
}

async function shared(path: string, inode: number): Promise<KeyError> {
  const second = await secondName(path, inode)
  const name = second ?? `find it by \`find / -xdev -inum ${inode}\``
  const message = `the signing record ${path} has a second name (a hard link), by which another process could use it at the same time: ${name}`
  return new KeyError('SIGNING_RECORD_SHARED', message, { path })
}

/** Another name of the file in its directory; null when it is elsewhere. */
async function secondName(path: string, inode: number): Promise<string | null> {
  for (const entry of await readdir(dirname(path))) {
    const name = join(dirname(path), entry)
    if (name !== path && (await lstat(name).catch(() => null))?.ino === inode) return name
  }
  return null
}

function foreign(path: string, owner: RecordOwner): KeyError {
  const message = `the signing record ${path} belongs to another key or network: key ${owner.publicKey}, L1 chain ${owner.l1ChainId}, rollup ${owner.rollup}`
  return new KeyError('SIGNING_RECORD_FOREIGN', message, { path })
}

function corrupt(path: string, problem: string, cause?: unknown): KeyError {
  const message = `the signing record ${path} ${problem}; without it the key might sign twice and lose its stake`
  return new KeyError('SIGNING_RECORD_CORRUPT', message, { path }, { cause })
}

function unwritable(path: string, cause: unknown): KeyError {
  const message = `the signing record ${path} cannot be written: ${(cause as Error).message}`
  return new KeyError('SIGNING_RECORD_UNWRITABLE', message, { path }, { cause })
}
