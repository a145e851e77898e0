import { crc32 } from 'node:zlib'

/** Length of the frame, its checksum, checksum of these two: u32 each, little-endian. */
export const frameHeadLength = 12
/** Length of a record before it, u32 little-endian. */
export const recordPrefixLength = 4

/** One frame of a log file: its head, then each record with its length. Nothing for no records. */
export function encodeFrame(records: readonly Uint8Array[]): Buffer {
  if (records.length === 0) return Buffer.alloc(0)
  const length = records.reduce((sum, record) => sum + recordPrefixLength + record.length, frameHeadLength)
  const frame = Buffer.allocUnsafe(length)
  let at = frameHeadLength
  for (const record of records) {
    at = frame.writeUInt32LE(record.length, at)
    frame.set(record, at)
    at += record.length
  }
  frame.writeUInt32LE(frame.length - frameHeadLength, 0)
  frame.writeUInt32LE(crc32(frame.subarray(frameHeadLength)), 4)
  frame.writeUInt32LE(crc32(frame.subarray(0, 8)), 8)
  return frame
}

/**
 * The records of all whole frames and where they end. The rest is torn when it is less than its head promises, a last
 * frame of the right length with the wrong content, or zeros (a file that grew before its data came); else corrupt.
 */
export function readFrames(bytes: Buffer): { records: Uint8Array[]; end: number; corruptAt: number | null } {
  const records: Uint8Array[] = []
  let at = 0
  const corrupt = () => ({ records, end: at, corruptAt: at })
  while (at + frameHeadLength <= bytes.length) {
    const start = at + frameHeadLength
    const end = start + bytes.readUInt32LE(at)
    if (crc32(bytes.subarray(at, at + 8)) !== bytes.readUInt32LE(at + 8)) {
      if (bytes.subarray(at).every(byte => byte === 0)) break
      return corrupt()
    }
    if (end > bytes.length) break
    if (crc32(bytes.subarray(start, end)) !== bytes.readUInt32LE(at + 4)) {
      if (end === bytes.length) break
      return corrupt()
    }
    for (let next = start; next < end; ) {
      const length = bytes.readUInt32LE(next)
      records.push(Uint8Array.from(bytes.subarray(next + recordPrefixLength, next + recordPrefixLength + length)))
      next += recordPrefixLength + length
    }
    at = end
  }
  return { records, end: at, corruptAt: null }
}
