import { DecodeError } from '../../base/encoding/decode-error.js'

/** Bytes of an EIP-4844 blob: 4096 field elements of 32 bytes. */
export const blobLength = 131_072
/** Bytes that one blob carries: 127 in every four field elements, which hold 254 bits each and so stay below the modulus. */
export const blobCapacity = 130_048

const elementLength = 32
const groupElements = 4
const groupLength = elementLength * groupElements
const groupCapacity = 127
const lengthPrefix = 4

/** Bytes that so many blobs carry beside the length prefix. */
export function framedCapacity(blobs: number): number {
  return blobs * blobCapacity - lengthPrefix
}

/** Bytes as the fewest blobs that hold them: 32-bit length, the bytes, zeros (spec/batches.md). */
export function bytesToBlobs(bytes: Uint8Array): Uint8Array[] {
  const count = Math.ceil((lengthPrefix + bytes.length) / blobCapacity)
  const stream = new Uint8Array(count * blobCapacity)
  new DataView(stream.buffer).setUint32(0, bytes.length)
  stream.set(bytes, lengthPrefix)
  const blobs: Uint8Array[] = []
  for (let i = 0; i < count; i++) blobs.push(packBlob(stream.subarray(i * blobCapacity, (i + 1) * blobCapacity)))
  return blobs
}

/** The bytes in the blobs. Refuses whatever `bytesToBlobs` would not write. @throws DecodeError */
export function blobsToBytes(blobs: readonly Uint8Array[]): Uint8Array {
  if (blobs.length === 0) throw new DecodeError('blobs: none')
  const stream = new Uint8Array(blobs.length * blobCapacity)
  for (const [i, blob] of blobs.entries()) {
    if (blob.length !== blobLength) throw new DecodeError('blobs: wrong length', { blob: i, length: blob.length })
    unpackBlob(blob, stream.subarray(i * blobCapacity, (i + 1) * blobCapacity))
  }
  const length = new DataView(stream.buffer).getUint32(0)
  const end = lengthPrefix + length
  if (Math.ceil(end / blobCapacity) !== blobs.length) throw new DecodeError('blobs: wrong number', { length })
  for (let i = end; i < stream.length; i++) if (stream[i] !== 0) throw new DecodeError('blobs: padding is not zero')
  return stream.slice(lengthPrefix, end)
}

// 124 bytes of a group fill the low 31 bytes of its elements; the 24 bits of the last three become their top bytes, six each.
function packBlob(data: Uint8Array): Uint8Array {
  const blob = new Uint8Array(blobLength)
  for (let from = 0, to = 0; to < blobLength; from += groupCapacity, to += groupLength) {
    for (let i = 0; i < groupElements; i++)
      blob.set(data.subarray(from + 31 * i, from + 31 * (i + 1)), to + elementLength * i + 1)
    const [x, y, z] = [data[from + 124]!, data[from + 125]!, data[from + 126]!]
    blob[to] = x >> 2
    blob[to + elementLength] = ((x & 3) << 4) | (y >> 4)
    blob[to + 2 * elementLength] = ((y & 15) << 2) | (z >> 6)
    blob[to + 3 * elementLength] = z & 63
  }
  return blob
}

function unpackBlob(blob: Uint8Array, data: Uint8Array): void {
  for (let from = 0, to = 0; from < blobLength; from += groupLength, to += groupCapacity) {
    for (let i = 0; i < groupElements; i++) {
      const at = from + elementLength * i
      if (blob[at]! > 63) throw new DecodeError('blobs: a field element is too large', { at })
      data.set(blob.subarray(at + 1, at + elementLength), to + 31 * i)
    }
    const top = (i: number) => blob[from + elementLength * i]!
    data[to + 124] = (top(0) << 2) | (top(1) >> 4)
    data[to + 125] = ((top(1) & 15) << 4) | (top(2) >> 2)
    data[to + 126] = ((top(2) & 3) << 6) | top(3)
  }
}
