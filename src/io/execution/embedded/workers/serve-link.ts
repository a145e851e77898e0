import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { invariant } from '../../../../base/primitives/invariant.js'
import { type LinkReply, type LinkRequest, toWire } from './worker-link.js'

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
      const target = (await methods)[method]
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

/** Lowers the priority of this thread alone, where the system knows priorities of threads (Linux). */
export function lowerThreadPriority(niceness: number): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    if (Number.isSafeInteger(thread) && thread > 0) setPriority(thread, niceness)
  } catch {
    // Another system: the thread keeps the priority of the process.
  }
}
