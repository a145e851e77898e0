import { createPublicClient, fallback, http, type PublicClient } from 'viem'

/** How to reach the JSON-RPC of an L1 node. */
export interface L1Endpoint {
  readonly rpcUrl: string
  /** Endpoints that are asked in turn when the first one fails. */
  readonly fallbackRpcUrls?: readonly string[]
  /** Milliseconds for one request; 10,000 unless told. */
  readonly requestTimeoutMs?: number
  /** Times a request is repeated after a transport failure, each after twice the pause; 2 unless told. */
  readonly retries?: number
}

/** A client of an L1 node: every request has a timeout, a bounded answer and retries with backoff. */
export function createL1Rpc({
  rpcUrl,
  fallbackRpcUrls = [],
  requestTimeoutMs = 10_000,
  retries = 2,
}: L1Endpoint): PublicClient {
  const transport = (url: string) =>
    http(url, {
      timeout: requestTimeoutMs,
      retryCount: retries,
      retryDelay: 100,
      batch: { batchSize: 64 },
      maxResponseBodySize: maxAnswerBytes,
    })
  const urls = [rpcUrl, ...fallbackRpcUrls]
  return createPublicClient({
    cacheTime: 0,
    transport:
      urls.length === 1 ? transport(rpcUrl) : fallback(urls.map(transport), { retryCount: retries, retryDelay: 100 }),
  })
}

const maxAnswerBytes = 64 * 1024 * 1024
