import type { BlsSecretKey } from '../base/crypto/bls.js'
import type { SigningDomain } from '../base/protocol/signing-domain.js'
import { GuardedSigner } from '../io/keys/guarded-signer.js'
import type { Logger } from '../io/telemetry/logger.js'

/** The signer of a key that is held here; says so when its record is a new one. @throws KeyError */
export function openGuardedSigner({
  logger,
  ...from
}: {
  secretKey: BlsSecretKey
  domain: SigningDomain
  recordPath: string
  resumes: boolean
  logger: Logger
}): Promise<GuardedSigner> {
  const onNewRecord = () =>
    logger.info(
      'a new signing record begins: a key that has signed before needs its old one (morphism keys import-record)',
      {
        path: from.recordPath,
      },
    )
  return GuardedSigner.open({ ...from, onNewRecord })
}
