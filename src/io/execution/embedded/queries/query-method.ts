import type { RpcArguments } from './rpc-argument.js'

/** One read-only method: reads its arguments, answers with a JSON value. @throws ExecutionRpcError */
export type QueryMethod = (args: RpcArguments, signal?: AbortSignal) => unknown

/** Methods by their JSON-RPC name. */
export type QueryMethods = Readonly<Record<string, QueryMethod>>
