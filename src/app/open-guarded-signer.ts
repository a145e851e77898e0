import { existsSync } from 'node:fs'
import type { BlsSecretKey } from '../base/crypto/bls.js'
import type { SigningDomain } from '../base/protocol/signing-domain.js'
import { GuardedSigner } from '../io/keys/guarded-signer.js'
import { KeyError } from '../io/keys/key-error.js'
import { stopFields } from '../io/keys/signing-record.js'
import type { Logger } from '../io/telemetry/logger.js'

export interface GuardedSignerPlace {
  readonly secretKey: BlsSecretKey
  readonly domain: SigningDomain
  readonly recordPath: string
  /** The name of the stop that the operator has dealt with. */
  readonly resumes: string | null
  /** Whether a missing record is begun: nothing says that the key has signed before, or the operator says that it may. */
  readonly beginsRecord: boolean
  /** The flag by which an operator says so. */
  readonly beginFlag: '--new-record' | '--new-signing-record'
  readonly logger: Logger
}

/** The signer of a key that is held here; says so when its record is a new one. @throws KeyError SIGNING_RECORD_MISSING and others */
export async function openGuardedSigner(place: GuardedSignerPlace): Promise<GuardedSigner> {
  const { secretKey, domain, recordPath: path, resumes, beginsRecord, beginFlag, logger } = place
  if (!beginsRecord && !existsSync(path)) throw missing(path, beginFlag)
  const onNewRecord = () =>
    logger.warn(
      'a new signing record begins: a key that has signed before needs its old one (morphism keys import-record)',
      { path },
    )
  const signer = await GuardedSigner.open({ secretKey, domain, recordPath: path, resumes, onNewRecord })
  if (resumes !== null && signer.stop)
    logger.error('signing stays stopped: --resume-signing names another stop', stopFields(signer.stop))
  return signer
}

function missing(path: string, flag: string): KeyError {
  const message = `there is no signing record at ${path}: put it back, or import it (morphism keys import-record); if the key has never signed, or its record is lost and nothing else signs with it, give ${flag}`
  return new KeyError('SIGNING_RECORD_MISSING', message, { path })
}
