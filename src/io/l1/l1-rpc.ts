import { createPublicClient, http, type PublicClient } from 'viem'

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
      batch: { batchSize: 64 },
      maxResponseBodySize: maxAnswerBytes,
    }),
  })
}

const maxAnswerBytes = 64 * 1024 * 1024
