import { serveWorkerCalls } from '../workers/serve-worker-calls.js'
import { backgroundNiceness, lowerThreadPriority } from '../workers/thread-priority.js'
import { loadNativeKzg, type NativeKzg } from './native-kzg.js'

lowerThreadPriority(backgroundNiceness)
let loaded: NativeKzg | undefined
const kzg = () => {
  loaded ??= loadNativeKzg()
  return loaded
}
serveWorkerCalls({
  commitment: (blob: Uint8Array) => kzg().commitment(blob),
  cellProofs: (blob: Uint8Array) => kzg().cellProofs(blob),
})
