import { keccak256 } from '../crypto/keccak.js'
import { asciiToBytes, concatBytes, hexToBytes, uintToBytes } from '../primitives/bytes.js'
import type { Address } from '../primitives/hashes.js'

/** The EIP-712 domain of everything that consensus keys sign: one L1 chain, one Rollup contract. */
export interface SigningDomain {
  readonly l1ChainId: number
  readonly rollup: Address
}

const domainType = typeHash('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')
const nameHash = keccak256(asciiToBytes('Morphism'))
const versionHash = keccak256(asciiToBytes('1'))
const separators = new Map<string, Uint8Array>()

/** EIP-712 type hash. */
export function typeHash(type: string): Uint8Array {
  return keccak256(asciiToBytes(type))
}

/** The 32-byte digest that is signed: keccak256(0x1901 ‖ domain separator ‖ struct hash) (EIP-712). */
export function signingDigest(domain: SigningDomain, structHash: Uint8Array): Uint8Array {
  return keccak256(concatBytes(Uint8Array.of(0x19, 0x01), domainSeparator(domain), structHash))
}

/** EIP-712 struct hash of fields that are each one word already. */
export function structHash(type: Uint8Array, ...words: Uint8Array[]): Uint8Array {
  return keccak256(concatBytes(type, ...words))
}

/** An unsigned integer as an ABI word. */
export const uintWord = (value: number | bigint): Uint8Array => uintToBytes(value, 32)
/** A signed integer as an ABI word (two's complement). */
export const intWord = (value: number | bigint): Uint8Array => uintToBytes(BigInt.asUintN(256, BigInt(value)), 32)

function domainSeparator({ l1ChainId, rollup }: SigningDomain): Uint8Array {
  const key = `${l1ChainId}:${rollup}`
  let separator = separators.get(key)
  if (!separator) {
    const address = concatBytes(new Uint8Array(12), hexToBytes(rollup))
    separator = structHash(domainType, nameHash, versionHash, uintWord(l1ChainId), address)
    separators.set(key, separator)
  }
  return separator
}
