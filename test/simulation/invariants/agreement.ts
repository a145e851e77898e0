import { verifyCertificate } from '../../../src/base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../../src/base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../../src/base/protocol/signing-domain.js'
import type { Invariant, Violate } from './invariant-watch.js'

/** No two honest nodes commit different blocks at a height, and each commit has a certificate of its own that verifies. */
export function agreement({
  set,
  domain,
  violate,
}: {
  set: SequencerSet
  domain: SigningDomain
  violate: Violate
}): Invariant {
  const decided: string[] = []
  return {
    name: 'agreement',
    onCommitted({ index }, { block, certificate }) {
      const { number } = block.header
      decided[number] ??= block.hash
      if (decided[number] !== block.hash)
        violate(`node ${index} committed ${block.hash} at height ${number}, others ${decided[number]}`)
      if (certificate.height !== number || certificate.blockHash !== block.hash)
        violate(`node ${index} committed block ${number} with the certificate of another`)
      const verdict = verifyCertificate({ certificate, set, domain })
      if (!verdict.ok) violate(`node ${index} committed block ${number} with a certificate that is ${verdict.error}`)
    },
  }
}
