import type { RpcArguments } from './rpc-argument.js'

/** One read-only method: reads its arguments, answers with a JSON value. @throws ExecutionRpcError */
export type QueryMethod = (args: RpcArguments, signal?: AbortSignal) => unknown

/** Ends a query from inside. Both @throws ExecutionRpcError when the time is up or the caller is gone */
export interface QueryTimer {
  /** For each block that a query looks at. */
  check(): void
  /** For each step of code: looks at the clock only now and then. */
  checkStep(): void
}

/** Methods by their JSON-RPC name. */
export type QueryMethods = Readonly<Record<string, QueryMethod>>
