import { parentPort } from 'node:worker_threads'
import { invariant } from '../../base/primitives/invariant.js'
import { unpackBatch } from './packed-batch.js'
import type { PackedOutcomes } from './packed-outcomes.js'
import { recoverBatch } from './recover-batch.js'

/** One batch on its way to a recovery worker. */
export interface RecoveryTask {
  readonly id: number
  readonly batch: ArrayBuffer
}

/** A worker's answer to the task of the same id. */
export interface RecoveryAnswer {
  readonly id: number
  readonly outcomes: PackedOutcomes
}

/** What a recovery worker posts: that its modules are loaded, then answers. */
export type RecoveryMessage = 'loaded' | RecoveryAnswer

const port = parentPort
invariant(port, 'the recovery worker runs as a worker thread')
port.postMessage('loaded' satisfies RecoveryMessage)
port.on('message', ({ id, batch }: RecoveryTask) => {
  const outcomes = recoverBatch(unpackBatch(batch))
  const answer: RecoveryAnswer = { id, outcomes }
  port.postMessage(answer, [outcomes.records])
})
