import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Why the link between a node and its signer process fails. */
export type RemoteSignerErrorCode =
  | 'SIGNER_ADDRESS'
  | 'SIGNER_FAILED'
  | 'SIGNER_MISMATCH'
  | 'SIGNER_PROTOCOL'
  | 'SIGNER_TOKEN'
  | 'SIGNER_UNAUTHENTICATED'
  | 'SIGNER_UNAVAILABLE'

/** The signer process cannot be used, for now or at all. Never holds key material or the token. */
export class RemoteSignerError extends MorphismError {
  override readonly name = 'RemoteSignerError'
  declare readonly code: RemoteSignerErrorCode
  constructor(
    code: RemoteSignerErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}
