import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'

/** The clock is read once in so many checks. */
const checksPerLook = 256

/** Ends a request that runs too long, or that nobody waits for any more, from inside: its thread hears nothing meanwhile. */
export class CallTimer {
  private readonly stop: Int32Array
  private current = 0
  private endsAt = Number.POSITIVE_INFINITY
  private checks = 0

  constructor(
    private readonly timeoutMs: number,
    stop: SharedArrayBuffer,
  ) {
    this.stop = new Int32Array(stop)
  }

  /** Runs a request under its number; only one request that calls `check` runs at a time. */
  async measure<Value>(number: number, request: () => Promise<Value>): Promise<Value> {
    this.current = number
    this.endsAt = performance.now() + this.timeoutMs
    return request()
  }

  /** @throws ExecutionRpcError when the time is up or the request was withdrawn */
  check(): void {
    if (++this.checks % checksPerLook !== 0) return
    if (performance.now() > this.endsAt) throw timeoutError(this.timeoutMs)
    if (Atomics.load(this.stop, 0) === this.current) throw withdrawnError()
  }
}

/** geth's answer to a call that took too long. */
export function timeoutError(timeoutMs: number): ExecutionRpcError {
  return new ExecutionRpcError({
    code: rpcErrorCodes.server,
    message: `execution aborted (timeout = ${timeoutMs / 1000}s)`,
  })
}

/** The caller went away. */
export function withdrawnError(): ExecutionRpcError {
  return new ExecutionRpcError({ code: rpcErrorCodes.server, message: 'request was aborted' })
}
