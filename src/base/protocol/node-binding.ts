import { keccak256 } from '../crypto/keccak.js'
import { type SigningDomain, signingDigest, structHash, typeHash } from './signing-domain.js'

const bindingType = typeHash('NodeBinding(bytes peerId)')

/** The digest by which a consensus key vouches for a libp2p peer id (its multihash bytes). */
export function nodeBindingDigest(domain: SigningDomain, peerId: Uint8Array): Uint8Array {
  return signingDigest(domain, structHash(bindingType, keccak256(peerId)))
}
