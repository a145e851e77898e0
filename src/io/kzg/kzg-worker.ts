import { serveWorkerCalls, yieldToOtherThreads } from '../workers/serve-worker-calls.js'
import { loadNativeKzg, type NativeKzg } from './native-kzg.js'

yieldToOtherThreads()
let loaded: NativeKzg | undefined
const kzg = () => {
  loaded ??= loadNativeKzg()
  return loaded
}
serveWorkerCalls({
  commitment: (blob: Uint8Array) => kzg().commitment(blob),
  cellProofs: (blob: Uint8Array) => kzg().cellProofs(blob),
})
