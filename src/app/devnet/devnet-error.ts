import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Why a devnet cannot run; the message is one sentence for the person at the terminal. */
export type DevnetErrorCode = 'ANVIL_MISSING' | 'ANVIL_FAILED' | 'ANVIL_STATE_BROKEN' | 'DEPLOY_FAILED'

/** A devnet that cannot start. */
export class DevnetError extends MorphismError {
  override readonly name = 'DevnetError'
  declare readonly code: DevnetErrorCode
  constructor(
    code: DevnetErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}
