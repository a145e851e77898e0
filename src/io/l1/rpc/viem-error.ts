import { BaseError, HttpRequestError, TimeoutError } from 'viem'
import { L1Error } from '../l1-error.js'
import { redactKeysOf, redactUrls } from './redact-url.js'

/** Any failure of a request to L1 as an L1Error; `what` names the request for the log, `url` is that of the endpoint. */
export function toL1Error(error: unknown, what: string, url?: string): L1Error {
  if (error instanceof L1Error) return error
  const text = shortText(error, url)
  // The texts of viem's errors hold the URL of the endpoint besides, and that may hold a key.
  const isShowable = !(error instanceof BaseError) && text === fullText(error)
  const cause = isShowable ? error : new Error(text)
  if (isTransportFailure(error))
    return new L1Error('L1_UNREACHABLE', `L1 does not answer: ${text}`, { what }, { cause })
  return new L1Error('L1_BAD_ANSWER', `L1 gave a bad answer: ${text}`, { what }, { cause })
}

const maxLength = 300

/** What an error says at first; its URLs are redacted, and what an endpoint repeated of the keys in its own URL. */
export function shortText(error: unknown, url = ''): string {
  // Some more is read than is shown: a key at the end would be cut, and not be found.
  return redactKeysOf(url, redactUrls(fullText(error).slice(0, 10 * maxLength))).slice(0, maxLength)
}

/** Without the request that viem appends: it may hold megabytes of blobs. */
function fullText(error: unknown): string {
  if (error instanceof BaseError) return error.details || error.shortMessage
  return error instanceof Error ? error.message : String(error)
}

function isTransportFailure(error: unknown): boolean {
  if (error instanceof BaseError)
    return error.walk(cause => cause instanceof HttpRequestError || cause instanceof TimeoutError) !== null
  return error instanceof TypeError || (error instanceof Error && /AbortError|TimeoutError/.test(error.name))
}
