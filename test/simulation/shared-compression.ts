import type { Compression } from '../../src/io/compression/compression.js'

/** Most results that are remembered. */
const maxKnown = 16

/** Compression that all nodes of a simulation share: they pack the same batches. */
export function sharedCompression(inner: Compression): Compression {
  const packed = new Map<string, Promise<Uint8Array>>()
  return {
    ...inner,
    async compress(bytes) {
      const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
      let found = packed.get(key)
      if (!found) {
        if (packed.size >= maxKnown) packed.clear()
        found = inner.compress(bytes)
        packed.set(key, found)
      }
      return Uint8Array.from(await found)
    },
  }
}
