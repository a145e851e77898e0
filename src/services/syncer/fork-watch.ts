import type { Height } from '../../base/primitives/quantities.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import type { PeerId } from '../../io/network/peer-network.js'

/** The chain that certificates are compared with. */
export interface ComparedChain {
  certificateAt(height: Height): QuorumCertificate | null
  /** Whether a certificate of a decided height is forged. @throws InvariantError when it holds for another block than the own */
  isForged(certificate: QuorumCertificate): Promise<boolean>
}

/** Compares the certificates that peers bring with those of the own chain: one of another block is forged, or agreement broke. */
export class ForkWatch {
  private comparing: Promise<void> | null = null

  constructor(
    private readonly ports: {
      readonly chain: ComparedChain
      readonly onForged: (from: PeerId, certificate: QuorumCertificate) => void
      readonly onFailure: (error: unknown) => void
    },
  ) {}

  /** One signature is checked at a time: what is not looked at comes again. */
  compare(from: PeerId, certificate: QuorumCertificate): void {
    const { chain, onForged, onFailure } = this.ports
    const own = chain.certificateAt(certificate.height)
    if (!own || own.blockHash === certificate.blockHash || this.comparing) return
    this.comparing = chain
      .isForged(certificate)
      .then(isForged => {
        if (isForged) onForged(from, certificate)
      })
      .catch(onFailure)
      .finally(() => {
        this.comparing = null
      })
  }

  async stop(): Promise<void> {
    await this.comparing
  }
}
