import { type BlsSecretKey, parseBlsPublicKey } from '../crypto/bls.js'
import { zeroAddress } from '../primitives/hashes.js'
import type { Power } from '../primitives/quantities.js'
import { makeSequencerSet, type SequencerSet } from './sequencer-set.js'

/** A set whose members have these keys and, unless told, a power of 1 each; all their accounts are the zero address. */
export function setOfKeys({
  setId = 1,
  keys,
  powers,
}: {
  setId?: number
  keys: readonly BlsSecretKey[]
  powers?: readonly Power[]
}): SequencerSet {
  return makeSequencerSet(
    setId,
    keys.map((key, i) => ({
      operator: zeroAddress,
      submitter: zeroAddress,
      feeRecipient: zeroAddress,
      publicKey: parseBlsPublicKey(key.publicKey())!,
      power: powers?.[i] ?? 1n,
    })),
  )
}
