import type { RpcArguments } from './rpc-argument.js'

/** One read-only method: reads its arguments, answers with a JSON value. @throws ExecutionRpcError */
export type QueryMethod = (args: RpcArguments, signal?: AbortSignal) => unknown

/** Ends a query from inside: looked at for each block that it reads, and often while code runs. */
export interface QueryTimer {
  /** @throws ExecutionRpcError when the time is up or the caller is gone */
  check(): void
}

/** Methods by their JSON-RPC name. */
export type QueryMethods = Readonly<Record<string, QueryMethod>>
