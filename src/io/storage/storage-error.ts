import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Why storage failed. */
export type StorageErrorCode =
  | 'LOG_CORRUPT'
  | 'RECORD_TOO_LARGE'
  | 'DISK_FULL'
  | 'STORE_LOCKED'
  | 'STORE_CORRUPT'
  | 'STORE_CLOSED'
  | 'STORE_FAILED'

/** The disk or what lies on it failed the node. */
export class StorageError extends MorphismError {
  override readonly name = 'StorageError'
  declare readonly code: StorageErrorCode
  constructor(
    code: StorageErrorCode,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(code, message, data, options)
  }
}

/** The system's error code (ENOSPC, ENOENT, …) of whatever was thrown, if it has one. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}

/** What a failed file operation on `path` means. */
export function fileFailure(error: unknown, path: string): StorageError {
  if (error instanceof StorageError) return error
  const cause = { cause: error }
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new StorageError('DISK_FULL', `no space is left on the disk of ${path}`, { path }, cause)
  return new StorageError('STORE_FAILED', `${path}: ${(error as Error)?.message ?? error}`, { path }, cause)
}
