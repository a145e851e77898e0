import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Why a key or a signing record cannot be used. */
export type KeyErrorCode =
  | 'DIRECTORY_MISSING'
  | 'KEYSTORE_WRONG_PASSWORD'
  | 'KEYSTORE_MALFORMED'
  | 'KEYSTORE_UNREADABLE'
  | 'KEYSTORE_UNWRITABLE'
  | 'KEYSTORE_WEAK_PASSWORD'
  | 'SECRET_FILE_EXPOSED'
  | 'SIGNING_RECORD_CORRUPT'
  | 'SIGNING_RECORD_FOREIGN'
  | 'SIGNING_RECORD_LOCKED'
  | 'SIGNING_RECORD_MISSING'
  | 'SIGNING_RECORD_SHARED'
  | 'SIGNING_RECORD_UNWRITABLE'
  | 'INTERCHANGE_CONFLICT'
  | 'INTERCHANGE_FOREIGN'
  | 'INTERCHANGE_MALFORMED'

/** A key file, a keystore or a signing record failed the node. Never holds key material. */
export class KeyError extends MorphismError {
  override readonly name = 'KeyError'
  declare readonly code: KeyErrorCode
  constructor(
    code: KeyErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}
