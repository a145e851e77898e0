import { WorkerCalls } from '../workers/worker-calls.js'
import { brotliCodec } from './brotli-codec.js'
import type { Compression } from './compression.js'

/** The codec in a worker thread of its own, which starts with the first call. */
export function createWorkerCompression(): Compression {
  const calls = new WorkerCalls(new URL('compression-worker.js', import.meta.url), 'compression')
  return {
    codecId: brotliCodec.id,
    compress: bytes => calls.call('compress', bytes),
    decompress: (bytes, maxLength) => calls.call('decompress', bytes, maxLength),
    close: () => calls.close(),
  }
}
