import { type BlsPublicKey, blsPublicKeyToEip2537 } from '../crypto/bls.js'
import { keccak256 } from '../crypto/keccak.js'
import { concatBytes, hexToBytes } from '../primitives/bytes.js'
import type { Address } from '../primitives/hashes.js'
import { type SigningDomain, signingDigest, structHash, typeHash } from './signing-domain.js'

const proofType = typeHash('ProofOfPossession(address operator,bytes32 publicKeyHash)')

/** The digest by which a key proves possession to the operator's account; publicKeyHash covers the EIP-2537 coding. */
export function proofOfPossessionDigest(
  domain: SigningDomain,
  { operator, publicKey }: { operator: Address; publicKey: BlsPublicKey },
): Uint8Array {
  const account = concatBytes(new Uint8Array(12), hexToBytes(operator))
  return signingDigest(domain, structHash(proofType, account, keccak256(blsPublicKeyToEip2537(publicKey))))
}
