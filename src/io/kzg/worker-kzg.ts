import { MorphismError } from '../../base/primitives/morphism-error.js'
import { WorkerCalls } from '../workers/worker-calls.js'
import { type Kzg, KzgError } from './kzg.js'

/** KZG in a worker thread of its own, which loads the trusted setup at the first call. */
export function createWorkerKzg(): Kzg {
  const calls = new WorkerCalls(new URL('kzg-worker.js', import.meta.url), 'kzg')
  const call = async <Value>(method: string, blob: Uint8Array): Promise<Value> => {
    try {
      return await calls.call<Value>(method, blob)
    } catch (error) {
      if (!(error instanceof MorphismError) || !error.code.startsWith('KZG_')) throw error
      throw new KzgError(error.code, error.message, error.data, { cause: error })
    }
  }
  return {
    commitment: blob => call('commitment', blob),
    cellProofs: blob => call('cellProofs', blob),
    close: () => calls.close(),
  }
}
