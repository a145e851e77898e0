import { MorphismError } from '../../base/primitives/morphism-error.js'

/**
 * What went wrong with L1: no answer (L1_UNREACHABLE), an answer that makes no sense (L1_BAD_ANSWER), the node refused to
 * take a transaction (L1_REJECTED: no funds, a pool that is full), too few of several endpoints said the same (L1_NO_QUORUM), or what
 * it asks for a transaction is more than the operator allows (L1_ABOVE_FEE_CAP).
 */
export type L1ErrorCode = 'L1_UNREACHABLE' | 'L1_BAD_ANSWER' | 'L1_REJECTED' | 'L1_NO_QUORUM' | 'L1_ABOVE_FEE_CAP'

/** A failure of the L1 endpoint; the caller may try again later. */
export class L1Error extends MorphismError {
  override readonly name = 'L1Error'
  declare readonly code: L1ErrorCode
  constructor(
    code: L1ErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}
