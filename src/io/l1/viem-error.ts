import { BaseError, HttpRequestError, TimeoutError } from 'viem'
import { L1Error } from './l1-error.js'
import { redactUrls } from './redact-url.js'

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
