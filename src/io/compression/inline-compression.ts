import { brotliCodec } from './brotli-codec.js'
import type { Compression } from './compression.js'

/** The codec on the calling thread: for tools and tests. */
export const inlineCompression: Compression = {
  codecId: brotliCodec.id,
  compress: async bytes => brotliCodec.compress(bytes),
  decompress: async (bytes, maxLength) => brotliCodec.decompress(bytes, maxLength),
  close: async () => {},
}
