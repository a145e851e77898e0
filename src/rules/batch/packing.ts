import { DecodeError } from '../../base/encoding/decode-error.js'
import { concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Codec } from './codec.js'
import { maxPayloadBytes } from './payload.js'

/** Bytes of a packed payload beside the compressed part and the tail. */
export const packingOverhead = 5
/** A repacking is worth its time when at least this part of the capacity is still uncompressed. */
const repackWorth = 8

/** Whether more bytes fit: as it is, only after a repacking (maybe), or not at all. */
export type Room = 'fits' | 'repack-first' | 'full'

/**
 * A payload that grows by whole blocks, and what is known of its packed length: a compressed prefix and a tail as it is.
 * That form always exists, so the sum of both is a bound that holds. When to compress anew depends on nothing but the
 * bytes added, so every node that follows the chain ends with the same packed bytes.
 */
export class PackedPayload {
  private buffer: Uint8Array = new Uint8Array(64 * 1024)
  private length = 0
  private compressed: Uint8Array = new Uint8Array(0)
  /** Bytes of the payload that `compressed` stands for. */
  private compressedUpTo = 0
  /** Length of the payload when it was last compressed, whether that helped or not. */
  private triedAt = 0

  constructor(private readonly capacity: number) {}

  /** The payload so far (a view: valid until the next `add`). */
  raw(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  room(bytes: number): Room {
    if (this.length + bytes > maxPayloadBytes) return 'full'
    if (this.packedLength() + bytes <= this.capacity) return 'fits'
    return (this.length - this.triedAt) * repackWorth >= this.capacity ? 'repack-first' : 'full'
  }

  add(bytes: Uint8Array): void {
    invariant(this.room(bytes.length) === 'fits', 'a batch payload has no room for what is added')
    if (this.length + bytes.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + bytes.length))
      larger.set(this.raw())
      this.buffer = larger
    }
    this.buffer.set(bytes, this.length)
    this.length += bytes.length
  }

  /** Whether the payload grew since it was last compressed. */
  get isStale(): boolean {
    return this.triedAt !== this.length
  }

  /** Takes the compressed form of `raw()`; kept only when it is shorter than what there was. */
  repacked(compressed: Uint8Array): void {
    if (packingOverhead + compressed.length < this.packedLength()) {
      this.compressed = compressed
      this.compressedUpTo = this.length
    }
    this.triedAt = this.length
  }

  /** codec id ‖ 32-bit length of the compressed prefix ‖ compressed prefix ‖ tail (spec/batches.md). */
  packed(codecId: number): Uint8Array {
    invariant(!this.isStale, 'a batch payload must be compressed before it is packed')
    return concatBytes(
      Uint8Array.of(codecId),
      uintToBytes(this.compressed.length, 4),
      this.compressed,
      this.raw().subarray(this.compressedUpTo),
    )
  }

  private packedLength(): number {
    return packingOverhead + this.compressed.length + this.length - this.compressedUpTo
  }
}

/** The payload in packed bytes; never longer than `maxPayloadBytes`. @throws DecodeError */
export function unpackPayload(bytes: Uint8Array, codec: Codec): Uint8Array {
  if (bytes.length < packingOverhead) throw new DecodeError('packed batch: ends early')
  if (bytes[0] !== codec.id) throw new DecodeError('packed batch: unknown codec', { codec: bytes[0] })
  const end = packingOverhead + new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
  if (end > bytes.length) throw new DecodeError('packed batch: ends early')
  const tail = bytes.subarray(end)
  const room = maxPayloadBytes - tail.length
  if (room < 0) throw new DecodeError('packed batch: too long')
  if (end === packingOverhead) return tail
  return concatBytes(codec.decompress(bytes.subarray(packingOverhead, end), room), tail)
}
