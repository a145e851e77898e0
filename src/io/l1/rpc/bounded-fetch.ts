import { L1Error } from '../l1-error.js'

/**
 * A fetch that reads at most `maxBytes` of an answer, so that a bad endpoint cannot fill the memory. How long to wait before
 * the next request is not for the endpoint to say either: viem would sleep for any Retry-After.
 */
export function boundedFetch(maxBytes: number | ((requestBody: string) => number)): typeof fetch {
  return async (input, init) => {
    const limit = typeof maxBytes === 'number' ? maxBytes : maxBytes(String(init?.body))
    const response = await fetch(input, init)
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > limit) throw new L1Error('L1_BAD_ANSWER', 'the answer of L1 is too long', { maxBytes: limit })
      parts.push(part)
    }
    const headers = new Headers(response.headers)
    headers.delete('retry-after')
    return new Response(Buffer.concat(parts), { status: response.status, headers })
  }
}
