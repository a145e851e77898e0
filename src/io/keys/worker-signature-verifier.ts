import { Worker } from 'node:worker_threads'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { SignatureVerifier } from './signature-verifier.js'

/** A question to the verifying thread. */
export interface VerifyRequest {
  readonly id: number
  readonly digest: Uint8Array
  readonly signed: readonly { readonly key: Uint8Array; readonly signature: Uint8Array }[]
}

/** Its answer. */
export interface VerifyResponse {
  readonly id: number
  readonly verdicts: boolean[]
}

/** Verifies on a thread of its own, so that pairings never hold up the event loop. */
export function createWorkerSignatureVerifier(): SignatureVerifier {
  const worker = new Worker(new URL('./signature-verifier-worker.js', import.meta.url), { name: 'bls' })
  const waiting = new Map<number, { resolve: (verdicts: boolean[]) => void; reject: (error: unknown) => void }>()
  let next = 0
  let failure: MorphismError | null = null
  const fail = (cause: unknown) => {
    failure = new MorphismError('VERIFIER_FAILED', 'the thread that verifies signatures ended', {}, { cause })
    for (const { reject } of waiting.values()) reject(failure)
    waiting.clear()
  }
  worker.on('message', ({ id, verdicts }: VerifyResponse) => {
    waiting.get(id)?.resolve(verdicts)
    waiting.delete(id)
  })
  worker.once('error', fail)
  worker.once('exit', () => fail(undefined))
  return {
    verify({ digest, signed }) {
      if (failure) return Promise.reject(failure)
      const id = next++
      const request: VerifyRequest = {
        id,
        digest,
        signed: signed.map(({ key, signature }) => ({ key: key.bytes, signature })),
      }
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        worker.postMessage(request)
      })
    },
    async close() {
      await worker.terminate()
    },
  }
}
