import { readOutcomes } from './packed-outcomes.js'
import { recoverBatch } from './recover-batch.js'
import { RecoveryError, type SenderRecovery } from './sender-recovery.js'

/** Recovery on the calling thread: for simulations, where the order of events must not depend on threads. */
export function createInlineRecovery(): SenderRecovery {
  let isClosed = false
  return {
    async recover(transactions) {
      if (isClosed) throw new RecoveryError('CLOSED', 'sender recovery is closed')
      return readOutcomes(recoverBatch(transactions), transactions)
    },
    async close() {
      isClosed = true
    },
  }
}
