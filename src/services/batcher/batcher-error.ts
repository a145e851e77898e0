import { MorphismError } from '../../base/primitives/morphism-error.js'

/** BATCH_PARAMETERS: a block might not fit a batch. BATCH_MISMATCH: a sealed batch does not come out the same again. */
export class BatcherError extends MorphismError {
  override readonly name = 'BatcherError'
}
