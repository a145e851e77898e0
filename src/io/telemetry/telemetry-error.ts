import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Why telemetry cannot begin. */
export type TelemetryErrorCode = 'LISTEN_FAILED' | 'LOG_UNWRITABLE'

/** The log cannot be opened or the telemetry server cannot listen. */
export class TelemetryError extends MorphismError {
  override readonly name = 'TelemetryError'
  declare readonly code: TelemetryErrorCode
  constructor(
    code: TelemetryErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>>,
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}
