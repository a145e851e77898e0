import { MorphismError } from './morphism-error.js'

/** Something that cannot happen did: the node stops rather than go on from a state nobody reasoned about. */
export class InvariantError extends MorphismError {
  override readonly name = 'InvariantError'
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('INVARIANT', message, data)
  }
}

/** States what must hold here. @throws InvariantError when it does not */
export function invariant(
  condition: unknown,
  message: string,
  data?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw new InvariantError(message, data)
}
