import { expect, it } from 'vitest'
import { RemoteSignerError } from '../../../io/keys/remote-signer-error.js'
import { SignerRefusal } from '../../../io/keys/signer-refusal.js'
import { HeightProgress } from './height-progress.js'

it('keeps a signature that did not come, and counts as refused only what the signer refused', () => {
  const progress = new HeightProgress({ nowMs: () => 1 })
  const at = { height: 7, round: 0 }
  progress.signerRefused('vote', at, new SignerRefusal('BELOW_RECORD', 'asked for before', {}))
  expect(progress.signerRefuses).toBe(true)
  progress.signerRefused('vote', at, new RemoteSignerError('SIGNER_UNAVAILABLE', 'does not answer'))
  expect(progress.signerRefuses).toBe(false)
  expect(progress.signerRefusals.map(({ code }) => code)).toEqual(['BELOW_RECORD', 'SIGNER_UNAVAILABLE'])
})
