import { BaseError, HttpRequestError, TimeoutError } from 'viem'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import { redactUrls } from './redact-url.js'

/**
 * What went wrong with L1: no answer (L1_UNREACHABLE), an answer that makes no sense (L1_BAD_ANSWER), the node refused to
 * take a transaction (L1_REJECTED: no funds, a pool that is full), or too few of several endpoints said the same (L1_NO_QUORUM).
 */
export type L1ErrorCode = 'L1_UNREACHABLE' | 'L1_BAD_ANSWER' | 'L1_REJECTED' | 'L1_NO_QUORUM'

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

/** Any failure of a request to L1 as an L1Error; `what` names the request for the log. */
export function toL1Error(error: unknown, what: string): L1Error {
  if (error instanceof L1Error) return error
  const text = shortText(error)
  // The texts of viem's errors hold the URL of the endpoint, and that may hold a key.
  const cause = error instanceof BaseError ? new Error(text) : error
  if (isTransportFailure(error))
    return new L1Error('L1_UNREACHABLE', `L1 does not answer: ${text}`, { what }, { cause })
  return new L1Error('L1_BAD_ANSWER', `L1 gave a bad answer: ${text}`, { what }, { cause })
}

/** The first line of an error, without the request that viem appends (it may hold megabytes of blobs), its URLs redacted. */
export function shortText(error: unknown): string {
  if (error instanceof BaseError) return redactUrls((error.details || error.shortMessage).slice(0, 300))
  return redactUrls((error instanceof Error ? error.message : String(error)).slice(0, 300))
}

function isTransportFailure(error: unknown): boolean {
  if (error instanceof BaseError)
    return error.walk(cause => cause instanceof HttpRequestError || cause instanceof TimeoutError) !== null
  return error instanceof TypeError || (error instanceof Error && /AbortError|TimeoutError/.test(error.name))
}
