import { existsSync } from 'node:fs'
import { constants, type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { keccak256 } from '../../base/crypto/keccak.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { asciiToBytes, bytesEqual, concatBytes } from '../../base/primitives/bytes.js'
import { KeyError } from './key-error.js'
import { writePrivateFile } from './private-file.js'
import { acquireProcessLock, type ProcessLock } from './process-lock.js'
import { emptyRecord, type SignedPosition, type SigningRecord, type SigningRecordStore } from './signing-record.js'

/** Two slots on pages of their own: a write that is torn spoils one, and the other holds the record before it. */
const slotLength = 4096
const hashLength = 32
const magic = asciiToBytes('morphism signing record 1\n')

/**
 * SigningRecordStore in a file of two slots written in turn, each sealed by a hash. The file belongs to one owner
 * (hash of key and domain) and one process at a time.
 */
export class FileSigningRecord implements SigningRecordStore {
  private saving: Promise<void> = Promise.resolve()
  private queued: Promise<void> | null = null
  private closed = false

  private constructor(
    private readonly path: string,
    private readonly owner: Uint8Array,
    private readonly lock: ProcessLock,
    private readonly file: FileHandle,
    private record: SigningRecord,
    private sequence: number,
  ) {}

  /**
   * Opens the record, creating it when there is none. `owner`: the key and domain that it guards, as any bytes.
   * @throws KeyError SIGNING_RECORD_CORRUPT (unreadable or of another owner), SIGNING_RECORD_LOCKED
   */
  static async open({ path, owner }: { path: string; owner: Uint8Array }): Promise<FileSigningRecord> {
    const ownerHash = keccak256(owner)
    await mkdir(dirname(path), { recursive: true })
    const lock = await acquireProcessLock(`${path}.lock`)
    let file: FileHandle | undefined
    try {
      if (!existsSync(path)) await create(path, ownerHash)
      // O_DSYNC: a write is durable when it returns, without a second trip through the thread pool.
      file = await open(path, constants.O_RDWR | constants.O_DSYNC)
      const { record, sequence } = readSlots(await file.readFile(), { path, owner: ownerHash })
      return new FileSigningRecord(path, ownerHash, lock, file, record, sequence)
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
  readonly owner: Uint8Array
}

function encodeSlot({ record, sequence, owner }: Slot): Uint8Array {
  const { proposal, prevote, precommit, attestation } = record
  const body = encodeRlp([
    rlpUint(sequence),
    owner,
    ...[proposal, prevote, precommit].map(p => [rlpUint(p.height), rlpUint(p.round), rlpHex(p.digest)]),
    [rlpUint(attestation.batchIndex), rlpHex(attestation.digest)],
  ])
  const length = Uint8Array.of(body.length >> 8, body.length & 255)
  const sealed = concatBytes(magic, length, body)
  return concatBytes(sealed, keccak256(sealed))
}

/** The slot's content; null when its seal does not hold. */
function decodeSlot(bytes: Uint8Array): Slot | null {
  const start = magic.length + 2
  const end = start + (bytes[start - 2]! << 8) + bytes[start - 1]!
  if (end + hashLength > bytes.length) return null
  if (!bytesEqual(keccak256(bytes.subarray(0, end)), bytes.subarray(end, end + hashLength))) return null
  const fields = RlpFields.decode(bytes.subarray(start, end), 'signing record')
  const position = (): SignedPosition => {
    const signed = fields.fields('signed position')
    return { height: signed.safeUint(), round: signed.safeUint(), digest: signed.hash() }
  }
  const sequence = fields.safeUint()
  const owner = fields.bytes({ min: hashLength, max: hashLength })
  const [proposal, prevote, precommit] = [position(), position(), position()]
  const last = fields.fields('signed attestation')
  return {
    sequence,
    owner,
    record: { proposal, prevote, precommit, attestation: { batchIndex: last.safeUint(), digest: last.hash() } },
  }
}

/** Writes the empty record whole or not at all: an empty or short file is never a beginning, always a loss. */
async function create(path: string, owner: Uint8Array): Promise<void> {
  const content = new Uint8Array(2 * slotLength)
  content.set(encodeSlot({ record: emptyRecord, sequence: 0, owner }))
  await writePrivateFile({ path, content })
}

function readSlots(bytes: Uint8Array, { path, owner }: { path: string; owner: Uint8Array }): Slot {
  const slots = [0, slotLength]
    .filter(at => bytes.length >= at + slotLength)
    .map(at => decodeSlot(bytes.subarray(at, at + slotLength)))
    .filter(slot => slot !== null)
    .sort((a, b) => b.sequence - a.sequence)
  const newest = slots[0]
  if (!newest) throw corrupt(path, 'holds no whole record')
  if (!bytesEqual(newest.owner, owner)) throw corrupt(path, 'belongs to another key or network')
  return newest
}

function corrupt(path: string, problem: string, cause?: unknown): KeyError {
  const message = `the signing record ${path} ${problem}; without it the key might sign twice and lose its stake`
  return new KeyError('SIGNING_RECORD_CORRUPT', message, { path }, { cause })
}

function unwritable(path: string, cause: unknown): KeyError {
  const message = `the signing record ${path} cannot be written: ${(cause as Error).message}`
  return new KeyError('SIGNING_RECORD_UNWRITABLE', message, { path }, { cause })
}
