import { type Hash32, zeroHash } from '../../../base/primitives/hashes.js'
import type { Reply, WatchedEndpoint } from './watched-endpoint.js'

/** An answer with the name of its content; the zero hash names "there is none". */
export interface Named<Value> {
  readonly value: Value
  readonly digest: Hash32
}

/** What an endpoint answered. */
export interface EndpointAnswer<Value> {
  readonly endpoint: WatchedEndpoint
  readonly value: Value
}

/** An answer that at least `quorum` endpoints gave, or null. */
export function largestGroup<Value>(
  answers: readonly EndpointAnswer<Named<Value>>[],
  quorum: number,
): Named<Value> | null {
  const counts = new Map<Hash32, number>()
  for (const { value } of answers) {
    const count = (counts.get(value.digest) ?? 0) + 1
    if (count >= quorum) return value
    counts.set(value.digest, count)
  }
  return null
}

/** An endpoint that does not have something yet is behind; one that has something else disagrees. */
export function judge({ reply, digest, what }: { reply: Reply<Named<unknown>>; digest: Hash32; what: string }): void {
  if (!reply.ok || digest === zeroHash || reply.value.digest === zeroHash) return
  if (reply.value.digest === digest) reply.endpoint.agreed()
  else reply.endpoint.disagreed(what)
}
