import { MorphismError } from '../primitives/morphism-error.js'

/** Bytes that do not decode to the type that was expected; the only error that a decoder throws on bad input. */
export class DecodeError extends MorphismError {
  override readonly name = 'DecodeError'
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('DECODE', message, data)
  }
}
