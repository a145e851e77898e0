import { keccak256Hex } from '../../../src/base/crypto/keccak.js'
import type { Hex } from '../../../src/base/primitives/bytes.js'
import type { Promises } from '../workload.js'
import type { Invariant, Violate } from './invariant-watch.js'

/** Each transaction that an honest node accepted is included in the end; what cannot be executed is refused. */
export function transactionsKept({ violate }: { violate: Violate }): Invariant & {
  readonly promises: Promises
  /** Accepted and not included so far. */
  missing(): number
  readonly counts: { accepted: number; included: number }
} {
  const accepted = new Map<Hex, number>()
  const included = new Set<Hex>()
  const counts = { accepted: 0, included: 0 }
  let height = 0
  return {
    name: 'transactions-kept',
    counts,
    missing: () => accepted.size,
    promises: {
      accepted({ index }, hash) {
        counts.accepted++
        if (!included.has(hash)) accepted.set(hash, index)
      },
      wronglyAccepted({ index }, what) {
        violate(`node ${index} accepted ${what}`)
      },
      isIncluded: hash => included.has(hash),
    },
    onCommitted(_, { block }) {
      if (block.header.number !== height + 1) return
      height++
      for (const raw of block.transactions) {
        const hash = keccak256Hex(raw)
        if (included.has(hash)) violate(`transaction ${hash} is in two blocks`)
        included.add(hash)
        accepted.delete(hash)
        counts.included++
      }
    },
    async atEnd() {
      for (const [hash, node] of accepted) violate(`node ${node} accepted ${hash}, which is in no block`)
    },
  }
}
