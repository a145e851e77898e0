import blst from '@chainsafe/blst'
import { EVMError, NobleBLS } from '@ethereumjs/evm'
import { bytesToUint, concatBytes, uintToBytes } from '../../../../base/primitives/bytes.js'

const fieldModulus = 0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn
const groupOrder = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n
/** Length of a coordinate in the coding of EIP-2537, of which the first 16 bytes are zero. */
const wordLength = 64
/** Length of a coordinate in blst's coding. */
const coordinateLength = 48
/** Bits above the field's elements, where blst's coding has its flags. */
const flags = 0xe0
const infinityFlag = 0x40

/** In which order of EIP-2537's coordinates blst has them: c1 before c0. */
const orderG1 = [0, 1]
const orderG2 = [1, 0, 3, 2]

/**
 * The operations of EIP-2537, with additions by blst. The library's checks first that the points are in the subgroup, which an
 * addition does not ask for, and takes a hundred times as long. Its callers have checked lengths and the zero bytes.
 */
export class EvmBls extends NobleBLS {
  override addG1(input: Uint8Array): Uint8Array {
    return add(input, orderG1, points => {
      const terms = points.map(bytes => pointOfOrderThree(bytes) ?? blst.PublicKey.fromBytes(bytes, false))
      return blst.aggregatePublicKeys(terms, false).toBytes(false)
    })
  }

  override addG2(input: Uint8Array): Uint8Array {
    return add(input, orderG2, points => {
      const terms = points.map(bytes => blst.Signature.fromBytes(bytes, false, false))
      return blst.aggregateSignatures(terms, false).toBytes(false)
    })
  }
}

function add(
  input: Uint8Array,
  order: readonly number[],
  sum: (points: readonly Uint8Array[]) => Uint8Array,
): Uint8Array {
  const half = input.length / 2
  try {
    return fromBlst(sum([toBlst(input.subarray(0, half), order), toBlst(input.subarray(half), order)]), order)
  } catch {
    throw new EVMError(EVMError.errorMessages.BLS_12_381_POINT_NOT_ON_CURVE)
  }
}

/** The point (0, 2) of G1's curve plus the generator of G1. */
const shifted = {
  x: 0x05020378a6838af221e734b3a81940eb3ff19c2a7f8cf26150dfc38fc41c37551dc92bb5593d30d4dfc2ee4bb09ad05bn,
  y: 0x076f64915185eb7884a368612afcdeb1256b5cda1f116babef88edcf9f60ba73c78b7b2b5fdc41d24e605bf15470ee66n,
}
/** blst reads no point of G1's curve whose x is zero; there are two, by their y, and a sum of points that it reads gives each. */
const pointsOfOrderThree = new Map(
  [
    { y: 2n, shiftedY: shifted.y, back: groupOrder - 1n },
    { y: fieldModulus - 2n, shiftedY: fieldModulus - shifted.y, back: 1n },
  ].map(({ y, shiftedY, back }) => {
    const bytes = concatBytes(uintToBytes(shifted.x, coordinateLength), uintToBytes(shiftedY, coordinateLength))
    const multiple = blst.SecretKey.fromBytes(uintToBytes(back, 32)).toPublicKey()
    return [y, blst.aggregatePublicKeys([blst.PublicKey.fromBytes(bytes, false), multiple], false)]
  }),
)

function pointOfOrderThree(bytes: Uint8Array): blst.PublicKey | undefined {
  const x = bytes.subarray(0, coordinateLength)
  return x.some(byte => byte !== 0) ? undefined : pointsOfOrderThree.get(bytesToUint(bytes.subarray(coordinateLength)))
}

function toBlst(point: Uint8Array, order: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(order.length * coordinateLength)
  for (const [at, from] of order.entries()) {
    const end = (from + 1) * wordLength
    bytes.set(point.subarray(end - coordinateLength, end), at * coordinateLength)
  }
  if ((bytes[0]! & flags) !== 0) throw new RangeError('no element of the field')
  if (bytes.every(byte => byte === 0)) bytes[0] = infinityFlag
  return bytes
}

function fromBlst(bytes: Uint8Array, order: readonly number[]): Uint8Array {
  const point = new Uint8Array(order.length * wordLength)
  if ((bytes[0]! & infinityFlag) !== 0) return point
  for (const [at, from] of order.entries()) {
    const coordinate = bytes.subarray(at * coordinateLength, (at + 1) * coordinateLength)
    point.set(coordinate, (from + 1) * wordLength - coordinateLength)
  }
  return point
}
