import type { Clock } from '../../time/clock.js'
import { L1Error } from '../l1-error.js'

/** The answer of an L1 endpoint, if it comes in time. @throws L1Error L1_UNREACHABLE after `timeoutMs` */
export function inTime<Value>(answer: Promise<Value>, timeoutMs: number, clock: Clock): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(timeoutMs, () =>
      reject(new L1Error('L1_UNREACHABLE', `L1 does not answer: nothing within ${timeoutMs} ms`, { timeoutMs })),
    )
    answer.then(resolve, reject).finally(cancel)
  })
}
