import { MorphismError } from '../base/primitives/morphism-error.js'

/** Something that the person at the terminal can mend: the message is one clear sentence for them. */
export class AppError extends MorphismError {
  override readonly name = 'AppError'
}
