import { bytesToHex } from '../../src/base/primitives/bytes.js'
import { attestationDigest } from '../../src/base/protocol/batch-attestation.js'
import { proposalDigest } from '../../src/base/protocol/proposal.js'
import type { SigningDomain } from '../../src/base/protocol/signing-domain.js'
import { prevote, voteDigest } from '../../src/base/protocol/vote.js'
import type { ConsensusSigner } from '../../src/io/keys/consensus-signer.js'
import type { SeenSignature } from './invariants/invariant-watch.js'

/** A signer whose every signature is seen as it leaves. */
export function watchedSigner({
  signer,
  domain,
  onSigned,
}: {
  signer: ConsensusSigner
  domain: SigningDomain
  onSigned: (signed: SeenSignature) => void
}): ConsensusSigner {
  const seen = (kind: SeenSignature['kind'], position: string, digest: Uint8Array, signature: Uint8Array) => {
    onSigned({ kind, position, digest: bytesToHex(digest) })
    return signature
  }
  return {
    publicKey: signer.publicKey,
    get stop() {
      return signer.stop
    },
    get isReachable() {
      return signer.isReachable
    },
    async signProposal(content) {
      const signature = await signer.signProposal(content)
      return seen('proposal', `${content.height}/${content.round}`, proposalDigest(domain, content), signature)
    },
    async signVote(content) {
      const signature = await signer.signVote(content)
      const kind = content.step === prevote ? 'prevote' : 'precommit'
      return seen(kind, `${content.height}/${content.round}`, voteDigest(domain, content), signature)
    },
    async signAttestation(content) {
      const signature = await signer.signAttestation(content)
      return seen('attestation', `${content.batchIndex}`, attestationDigest(domain, content), signature)
    },
    signNodeBinding: peerId => signer.signNodeBinding(peerId),
    observe: message => signer.observe(message),
    raiseFloor: height => signer.raiseFloor(height),
    close: () => signer.close(),
  }
}
