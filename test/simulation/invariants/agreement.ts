import { verifyAggregate } from '../../../src/base/crypto/bls.js'
import type { QuorumCertificate } from '../../../src/base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../../src/base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../../src/base/protocol/signing-domain.js'
import { precommit, voteDigest } from '../../../src/base/protocol/vote.js'
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
  /** Computed here and not by the code under test: what that believes is what is in question. */
  const isProof = ({ height, round, blockHash, absent, signature }: QuorumCertificate) => {
    const signers = set.members.filter(({ index }) => ((absent >> BigInt(index)) & 1n) === 0n)
    const power = signers.reduce((sum, member) => sum + member.power, 0n)
    const digest = voteDigest(domain, { height, round, step: precommit, blockHash })
    return (
      3n * power > 2n * set.totalPower && verifyAggregate({ digest, keys: signers.map(m => m.publicKey), signature })
    )
  }
  return {
    name: 'agreement',
    onCommitted({ index }, { block, certificate }) {
      const { number } = block.header
      decided[number] ??= block.hash
      if (decided[number] !== block.hash)
        violate(`node ${index} committed ${block.hash} at height ${number}, others ${decided[number]}`)
      if (certificate.height !== number || certificate.blockHash !== block.hash)
        violate(`node ${index} committed block ${number} with the certificate of another`)
      if (!isProof(certificate))
        violate(`node ${index} committed block ${number} with a certificate that proves nothing`)
    },
  }
}
