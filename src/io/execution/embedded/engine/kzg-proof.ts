import { NobleBLS } from '@ethereumjs/evm'
import { bytesToUint, concatBytes, hexToBytes, uintToBytes } from '../../../../base/primitives/bytes.js'

const fieldModulus = 0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn
const groupOrder = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n

// Points in the coding of EIP-2537: coordinates of 64 bytes, c0 before c1.
const word = (hex: string) => hexToBytes(`0x${hex.padStart(128, '0')}`)
const generatorG1 = concatBytes(
  word('17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb'),
  word('08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1'),
)
/** Generator of G2 negated. */
const negatedGeneratorG2 = concatBytes(
  word('024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8'),
  word('13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e'),
  word('0d1b3cc2c7027888be51d9ef691d77bcb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa'),
  word('13fa4d4a0ad8b1ce186ed5061789213d993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed'),
)
/** The secret of the KZG ceremony times the generator of G2 (trusted_setup_4096.json, second of g2_monomial). */
const secretG2 = concatBytes(
  word('185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2'),
  word('15bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72'),
  word('014353bdb96b626dd7d5ee8599d1fca2131569490e28de18e82451a496a9c9794ce26d105941f383ee689bfbbb832a99'),
  word('1666c54b0a32529503432fcae0181b4bef79de09fc63671fda5ed1ba9bfa07899495346f3d7ac9cd23048ef30d0a154f'),
)

const bls = new NobleBLS()

/**
 * Whether the polynomial behind the commitment has value y at z (EIP-4844 point evaluation): e(C - y·G1 + z·π, -G2) · e(π, τ·G2) = 1.
 * The EVM library takes a throw for a refused input, and its text for the reason.
 */
export function verifyKzgProof(commitment: string, z: string, y: string, proof: string): boolean {
  const at = bytesToUint(hexToBytes(z))
  const value = bytesToUint(hexToBytes(y))
  if (at >= groupOrder || value >= groupOrder) return false
  const c = decompressG1(hexToBytes(commitment))
  const pi = decompressG1(hexToBytes(proof))
  if (c === null || pi === null) return false
  try {
    const scalar = (n: bigint) => uintToBytes(n, 32)
    const terms = [c, scalar(1n), generatorG1, scalar((groupOrder - value) % groupOrder), pi, scalar(at)]
    const left = bls.msmG1(concatBytes(...terms))
    const result = bls.pairingCheck(concatBytes(left, negatedGeneratorG2, pi, secretG2))
    return result[31] === 1
  } catch {
    // The library throws on a point outside the curve or its subgroup.
    return false
  }
}

/** A compressed point of 48 bytes in the coding of EIP-2537, or null when it is none; its subgroup is not checked. */
function decompressG1(compressed: Uint8Array): Uint8Array | null {
  const flags = compressed[0]! >> 5
  const x = bytesToUint(compressed) & ((1n << 381n) - 1n)
  if ((flags & 4) === 0) return null
  if ((flags & 2) !== 0) return flags === 6 && x === 0n ? new Uint8Array(128) : null
  if (x >= fieldModulus) return null
  const square = (x * x * x + 4n) % fieldModulus
  const root = power(square, (fieldModulus + 1n) / 4n)
  if ((root * root) % fieldModulus !== square) return null
  const isLarger = root > (fieldModulus - 1n) / 2n
  const y = isLarger === ((flags & 1) === 1) ? root : fieldModulus - root
  return concatBytes(uintToBytes(x, 64), uintToBytes(y, 64))
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = (result * result) % fieldModulus
    if (bit === '1') result = (result * base) % fieldModulus
  }
  return result
}
