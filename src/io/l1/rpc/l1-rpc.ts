import { createPublicClient, http, type PublicClient } from 'viem'
import { boundedFetch } from './bounded-fetch.js'

/** How to reach the JSON-RPC of an L1 node. */
export interface L1Endpoint {
  readonly rpcUrl: string
  /** Milliseconds for one request; 10,000 unless told. */
  readonly requestTimeoutMs?: number
  /** Times a request is repeated after a transport failure, each after twice the pause; 2 unless told. */
  readonly retries?: number
}

/** A client of an L1 node: every request has a timeout, a bounded answer and retries with backoff. */
export function createL1Rpc({ rpcUrl, requestTimeoutMs = 10_000, retries = 2 }: L1Endpoint): PublicClient {
  return createPublicClient({
    cacheTime: 0,
    transport: http(rpcUrl, {
      timeout: requestTimeoutMs,
      retryCount: retries,
      retryDelay: 100,
      // The answers of a batch are parsed at once, in the thread that waits for them.
      batch: { batchSize: 8 },
      fetchFn: boundedFetch(longestAnswer),
      maxResponseBodySize: false,
    }),
  })
}

/** Bytes that the answer to one request may have; a block names its transactions, some 200 kB for 60 M gas. */
const answerBytes = 1 << 20
/** Logs hold what callers of a contract write: one block has room for more than most ranges fill. */
const logsBytes = 16 << 20

/** Most bytes of the answer to a request, or to a batch of requests. */
function longestAnswer(requestBody: string): number {
  const requests: { readonly method: string }[] = [JSON.parse(requestBody)].flat()
  return requests.reduce((sum, { method }) => sum + (method === 'eth_getLogs' ? logsBytes : answerBytes), 0)
}
