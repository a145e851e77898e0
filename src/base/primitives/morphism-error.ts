/** Base of the errors that modules throw when the outside world fails: a stable code, data for the log, the cause. */
export class MorphismError extends Error {
  override readonly name: string = 'MorphismError'
  constructor(
    readonly code: string,
    message: string,
    readonly data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}
