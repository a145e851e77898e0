import { L1Error } from './l1-error.js'

/** A fetch that reads at most `maxBytes` of an answer, so that a bad endpoint cannot fill the memory. */
export function boundedFetch(maxBytes: number): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > maxBytes) throw new L1Error('L1_BAD_ANSWER', 'the answer of L1 is too long', { maxBytes })
      parts.push(part)
    }
    return new Response(Buffer.concat(parts), { status: response.status, headers: response.headers })
  }
}
