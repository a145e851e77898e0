import { StorageError } from './storage-error.js'

/** A file of records that is only appended to: the write-ahead log. */
export interface AppendLog {
  /** All whole records; a torn last record is cut off, a corrupt one in the middle is an error (LOG_CORRUPT). */
  readAll(): Promise<Uint8Array[]>
  /** Buffers one record; it is durable after the next `sync`. */
  append(record: Uint8Array): void
  /** Resolves when everything appended before the call survives power loss. */
  sync(): Promise<void>
  /** Drops all records and appends these instead, atomically and durably. */
  replace(records: readonly Uint8Array[]): Promise<void>
  /** Begins an empty log, durably. Where logs are files, what this one held stays beside it until the next turn. */
  turn(): Promise<void>
  /** Bytes held. */
  size(): number
  close(): Promise<void>
}

/** Most bytes of one record. */
export const maxRecordLength = 16 << 20

/** @throws StorageError RECORD_TOO_LARGE */
export function requireFitting(record: Uint8Array): void {
  if (record.length > maxRecordLength)
    throw new StorageError('RECORD_TOO_LARGE', `a record of ${record.length} bytes is above ${maxRecordLength}`)
}
