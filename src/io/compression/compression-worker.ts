import { serveWorkerCalls, yieldToOtherThreads } from '../workers/serve-worker-calls.js'
import { brotliCodec } from './brotli-codec.js'

yieldToOtherThreads()
serveWorkerCalls({ compress: brotliCodec.compress, decompress: brotliCodec.decompress })
