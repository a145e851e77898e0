import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Why the execution client could not do what its owner asked. */
export type ExecutionErrorCode =
  /** The parent of a block to build is neither the head nor a candidate. */
  | 'UNKNOWN_PARENT'
  /** A fork choice names a block that is not known here, or that does not descend from the head. */
  | 'UNKNOWN_BLOCK'
  /** With onInvalidTransaction 'fail': a transaction cannot execute; `data` holds index, reason and detail. */
  | 'TRANSACTION_REFUSED'
  /** Attributes that no block can have. */
  | 'INVALID_ATTRIBUTES'
  /** The data directory belongs to another genesis. */
  | 'GENESIS_MISMATCH'
  /** Genesis contradicts itself. */
  | 'GENESIS_INVALID'
  /** What was stored cannot be read back. */
  | 'STORE_CORRUPT'
  /** The data directory cannot be opened. */
  | 'STORE_FAILED'
  /** A thread of the client died. */
  | 'WORKER_FAILED'
  /** The client was closed. */
  | 'CLOSED'

/** The execution client failed its owner. */
export class ExecutionError extends MorphismError {
  override readonly name = 'ExecutionError'
  declare readonly code: ExecutionErrorCode
  constructor(
    code: ExecutionErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}
