import { existsSync } from 'node:fs'
import type { BlsSecretKey } from '../base/crypto/bls.js'
import type { SigningDomain } from '../base/protocol/signing-domain.js'
import { GuardedSigner } from '../io/keys/guarded-signer.js'
import { KeyError } from '../io/keys/key-error.js'
import type { Logger } from '../io/telemetry/logger.js'

export interface GuardedSignerPlace {
  readonly secretKey: BlsSecretKey
  readonly domain: SigningDomain
  readonly recordPath: string
  readonly resumes: boolean
  /** Whether a missing record is begun: nothing says that the key has signed before, or the operator says that it may. */
  readonly beginsRecord: boolean
  /** The flag by which an operator says so. */
  readonly beginFlag: '--new-record' | '--new-signing-record'
  readonly logger: Logger
}

/** The signer of a key that is held here; says so when its record is a new one. @throws KeyError SIGNING_RECORD_MISSING and others */
export function openGuardedSigner(place: GuardedSignerPlace): Promise<GuardedSigner> {
  const { secretKey, domain, recordPath: path, resumes, beginsRecord, beginFlag, logger } = place
  if (!beginsRecord && !existsSync(path)) return Promise.reject(missing(path, beginFlag))
  const onNewRecord = () =>
    logger.warn(
      'a new signing record begins: a key that has signed before needs its old one (morphism keys import-record)',
      { path },
    )
  return GuardedSigner.open({ secretKey, domain, recordPath: path, resumes, onNewRecord })
}

function missing(path: string, flag: string): KeyError {
  const message = `there is no signing record at ${path}: put it back, or import it (morphism keys import-record); if the key has never signed, or its record is lost and nothing else signs with it, give ${flag}`
  return new KeyError('SIGNING_RECORD_MISSING', message, { path })
}
