import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'
import type { QueryTimer } from '../queries/query-method.js'

/** How long a request may run, and whether it executes code. */
export interface TimeLimit {
  readonly timeoutMs: number
  readonly runsCalls: boolean
}

/** Ends a request that runs too long, or that nobody waits for any more, from inside: its thread hears nothing meanwhile. */
export class CallTimer implements QueryTimer {
  private readonly stop: Int32Array
  private current = 0
  private endsAt = Number.POSITIVE_INFINITY

  constructor(
    private readonly limit: TimeLimit,
    stop: SharedArrayBuffer,
  ) {
    this.stop = new Int32Array(stop)
  }

  /** Runs a request under its number; only one request that calls `check` runs at a time. */
  async measure<Value>(number: number, request: () => Promise<Value>): Promise<Value> {
    this.current = number
    this.endsAt = performance.now() + this.limit.timeoutMs
    return request()
  }

  check(): void {
    if (performance.now() > this.endsAt) throw timeoutError(this.limit)
    if (Atomics.load(this.stop, 0) === this.current) throw withdrawnError()
  }
}

/** geth's answer to a call that took too long; to other queries, the answer at which indexers ask for fewer blocks. */
export function timeoutError({ timeoutMs, runsCalls }: TimeLimit): ExecutionRpcError {
  const limit = `(timeout = ${timeoutMs / 1000}s)`
  return new ExecutionRpcError(
    runsCalls
      ? { code: rpcErrorCodes.server, message: `execution aborted ${limit}` }
      : { code: rpcErrorCodes.limitExceeded, message: `query timeout exceeded ${limit}` },
  )
}

/** The caller went away. */
export function withdrawnError(): ExecutionRpcError {
  return new ExecutionRpcError({ code: rpcErrorCodes.server, message: 'request was aborted' })
}
