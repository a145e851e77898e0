import type { Invariant, Violate } from './invariant-watch.js'

/** No guarded signer signs two different messages for one position, whatever its node's crashes; not even without the log. */
export function singleSigning({ violate }: { violate: Violate }): Invariant {
  const signed = new Map<string, string>()
  return {
    name: 'single-signing',
    onSigned({ index }, { kind, position, digest }) {
      const key = `${index} ${kind} ${position}`
      const before = signed.get(key)
      if (before !== undefined && before !== digest) violate(`node ${index} signed two messages: ${kind} ${position}`)
      signed.set(key, digest)
    },
  }
}
