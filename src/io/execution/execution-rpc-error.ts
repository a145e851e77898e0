import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { RpcErrorShape } from './execution-client.js'

/** Codes of JSON-RPC 2.0 and EIP-1474, and geth's 3 for a reverted call. */
export const rpcErrorCodes = {
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  server: -32000,
  resourceNotFound: -32001,
  limitExceeded: -32005,
  executionReverted: 3,
} as const

/** A refusal that a JSON-RPC caller sees; the code of MorphismError is EXECUTION_RPC, that of JSON-RPC is `rpc.code`. */
export class ExecutionRpcError extends MorphismError {
  override readonly name = 'ExecutionRpcError'
  /** What goes over the wire. */
  readonly rpc: RpcErrorShape
  constructor(rpc: RpcErrorShape, options?: { cause?: unknown }) {
    super('EXECUTION_RPC', rpc.message, { rpcCode: rpc.code }, options)
    this.rpc = rpc
  }
}
