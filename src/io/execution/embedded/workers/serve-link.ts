import { parentPort } from 'node:worker_threads'
import { invariant } from '../../../../base/primitives/invariant.js'
import { type LinkReply, type LinkRequest, readyMethod, toWire } from './worker-link.js'

/** Methods that a worker offers; an answer may name buffers to hand over instead of copying. */
export type LinkMethods = Readonly<Record<string, (...args: never[]) => unknown>>

/** An answer whose buffers are handed over. */
export class Transferred {
  constructor(
    readonly value: unknown,
    readonly buffers: readonly ArrayBuffer[],
  ) {}
}

/** Answers the calls of a WorkerLink; calls that come while `methods` is still being made wait for it. */
export function serveLink(methods: Promise<LinkMethods>): void {
  const port = parentPort
  invariant(port !== null, 'this script runs in a worker thread only')
  const answer = async ({ id, method, args }: LinkRequest): Promise<void> => {
    let reply: LinkReply
    let buffers: readonly ArrayBuffer[] = []
    try {
      const offered: LinkMethods = { ...(await methods), [readyMethod]: () => {} }
      const target = offered[method]
      invariant(target !== undefined, 'the worker offers the method', { method })
      const value = await target(...(args as never[]))
      if (value instanceof Transferred) buffers = value.buffers
      reply = { id, value: value instanceof Transferred ? value.value : value }
    } catch (error) {
      reply = { id, error: toWire(error) }
    }
    port.postMessage(reply, buffers)
  }
  port.on('message', (request: LinkRequest) => void answer(request))
}
