import type { TransactionHash } from '../../base/primitives/hashes.js'
import type { Result } from '../../base/primitives/result.js'

/** What a JSON-RPC client hears when its transaction is refused. */
export interface SubmissionError {
  readonly code: number
  readonly message: string
}
export type SubmissionResult = Result<TransactionHash, SubmissionError>
