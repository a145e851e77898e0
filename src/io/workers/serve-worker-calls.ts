import { parentPort } from 'node:worker_threads'
import { invariant } from '../../base/primitives/invariant.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { WorkerReply, WorkerRequest } from './worker-calls.js'

/** Answers the calls of a WorkerCalls with these methods, one after the other. Runs in the worker thread. */
export function serveWorkerCalls(methods: Readonly<Record<string, (...args: never[]) => unknown>>): void {
  invariant(parentPort, 'worker calls are served in a worker thread')
  const port = parentPort
  port.on('message', ({ id, method, args }: WorkerRequest) => {
    let reply: WorkerReply
    try {
      const run = methods[method]
      invariant(run, 'a worker was asked for a method that it does not have', { method })
      reply = { id, value: run(...(args as never[])) }
    } catch (error) {
      reply = { id, error: describe(error) }
    }
    port.postMessage(reply)
  })
}

function describe(error: unknown): { code: string; message: string; data: object } {
  if (error instanceof MorphismError) return { code: error.code, message: error.message, data: error.data }
  return { code: 'WORKER_FAILED', message: error instanceof Error ? error.message : String(error), data: {} }
}
