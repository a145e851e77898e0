import { serveWorkerCalls } from '../workers/serve-worker-calls.js'
import { backgroundNiceness, lowerThreadPriority } from '../workers/thread-priority.js'
import { brotliCodec } from './brotli-codec.js'

lowerThreadPriority(backgroundNiceness)
serveWorkerCalls({ compress: brotliCodec.compress, decompress: brotliCodec.decompress })
