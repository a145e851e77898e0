import { MorphismError } from '../../base/primitives/morphism-error.js'

/**
 * Why a signer refuses: the same position with another content, a position before the last signed one or at a height that
 * is decided, a stop (SigningStop) that the operator has to end, or a prevote against the block that the key is locked on.
 */
export type SignerRefusalCode =
  | 'DOUBLE_PROPOSAL'
  | 'DOUBLE_VOTE'
  | 'DOUBLE_ATTESTATION'
  | 'BELOW_RECORD'
  | 'SIGNING_STOPPED'
  | 'LOCKED'

/** Every code, for those who read one from a wire. */
export const signerRefusalCodes: readonly SignerRefusalCode[] = [
  'DOUBLE_PROPOSAL',
  'DOUBLE_VOTE',
  'DOUBLE_ATTESTATION',
  'BELOW_RECORD',
  'SIGNING_STOPPED',
  'LOCKED',
]

/** The signature would put the stake at risk; the node goes on without it. */
export class SignerRefusal extends MorphismError {
  override readonly name = 'SignerRefusal'
  declare readonly code: SignerRefusalCode
  constructor(code: SignerRefusalCode, message: string, data: Readonly<Record<string, unknown>>) {
    super(code, message, data)
  }
}
