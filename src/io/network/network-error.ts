import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Why the network failed a caller. */
export type NetworkErrorCode =
  | 'REQUEST_TIMEOUT'
  | 'REQUEST_REFUSED'
  | 'REQUEST_ABORTED'
  | 'PEER_GONE'
  | 'MESSAGE_TOO_LARGE'
  | 'STREAM_CLOSED'
  | 'LISTEN_FAILED'
  | 'BAD_ADDRESS'
  | 'BAD_NEGOTIATION'
  | 'BAD_MULTIPLEXING'
  | 'CONNECTION_REFUSED'

/** A peer or the transport failed. */
export class NetworkError extends MorphismError {
  override readonly name = 'NetworkError'
  declare readonly code: NetworkErrorCode
  constructor(
    code: NetworkErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}
