import type { RecoveryOutcome, SenderRecovery } from '../../src/io/recovery/sender-recovery.js'

/** Most outcomes that are remembered. */
const maxKnown = 4_096

/** Sender recovery that all nodes of a simulation share: what a transaction's bytes say is the same for each of them. */
export function sharedRecovery(inner: SenderRecovery): SenderRecovery {
  const known = new Map<string, RecoveryOutcome>()
  return {
    async recover(transactions) {
      const keys = transactions.map(raw => Buffer.from(raw).toString('latin1'))
      const unknown = new Map(transactions.flatMap((raw, i) => (known.has(keys[i]!) ? [] : [[keys[i]!, raw]])))
      if (unknown.size > 0) {
        const recovered = await inner.recover([...unknown.values()])
        for (const [i, key] of [...unknown.keys()].entries()) known.set(key, recovered[i]!)
      }
      const outcomes = keys.map(key => known.get(key)!)
      for (const key of known.keys()) {
        if (known.size <= maxKnown) break
        known.delete(key)
      }
      return outcomes
    },
    close: () => inner.close(),
  }
}
