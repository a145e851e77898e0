import blst from '@chainsafe/blst'
import { bytesToHex, concatBytes, type Hex } from '../primitives/bytes.js'

/** Compressed G1 public key, 48 bytes. */
export type BlsPublicKeyBytes = Uint8Array
/** Compressed G2 signature, 96 bytes. */
export type BlsSignatureBytes = Uint8Array

/** Length of a compressed public key. */
export const blsPublicKeyLength = 48
/** Length of a compressed signature. */
export const blsSignatureLength = 96

/** A public key that was parsed and found in the subgroup; parse once, keep (millions of short-lived ones stall the finalizer). */
export interface BlsPublicKey {
  readonly bytes: BlsPublicKeyBytes
  readonly point: blst.PublicKey
}

/** Parses a compressed key; null for a bad coding, a point outside the subgroup, or infinity. */
export function parseBlsPublicKey(bytes: Uint8Array): BlsPublicKey | null {
  if (bytes.length !== blsPublicKeyLength) return null
  try {
    return { bytes: Uint8Array.from(bytes), point: blst.PublicKey.fromBytes(bytes, true) }
  } catch {
    return null
  }
}

function parseSignature(bytes: Uint8Array): blst.Signature | null {
  if (bytes.length !== blsSignatureLength) return null
  try {
    return blst.Signature.fromBytes(bytes, true, true)
  } catch {
    return null
  }
}

/** A secret key (BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_); never printed, never logged. */
export class BlsSecretKey {
  private constructor(private readonly key: blst.SecretKey) {}

  /** From the 32-byte scalar. @throws RangeError when it is none */
  static fromBytes(bytes: Uint8Array): BlsSecretKey {
    try {
      return new BlsSecretKey(blst.SecretKey.fromBytes(bytes))
    } catch {
      throw new RangeError('not a BLS12-381 secret key')
    }
  }

  /** Derived from at least 32 bytes of key material (RFC draft KeyGen). */
  static fromSeed(seed: Uint8Array): BlsSecretKey {
    return new BlsSecretKey(blst.SecretKey.fromKeygen(seed))
  }

  toBytes(): Uint8Array {
    return Uint8Array.from(this.key.toBytes())
  }

  publicKey(): BlsPublicKeyBytes {
    return Uint8Array.from(this.key.toPublicKey().toBytes())
  }

  /** Signs a 32-byte digest; 96 bytes compressed. */
  sign(digest: Uint8Array): BlsSignatureBytes {
    return Uint8Array.from(this.key.sign(digest).toBytes())
  }

  toJSON(): string {
    return '[secret key]'
  }
}

/** Whether the signature over the digest is the key's. */
export function verifyBls({
  digest,
  key,
  signature,
}: {
  digest: Uint8Array
  key: BlsPublicKey
  signature: BlsSignatureBytes
}): boolean {
  const point = parseSignature(signature)
  return point !== null && blst.verify(digest, key.point, point)
}

/** A claim that all of these keys (each proved its possession) signed a 32-byte digest together, and the sum of their signatures. */
export interface AggregateClaim {
  readonly digest: Uint8Array
  readonly keys: readonly BlsPublicKey[]
  readonly signature: BlsSignatureBytes
}

/** Whether the aggregate signature over one digest is that of all keys together. */
export function verifyAggregate({ digest, keys, signature }: AggregateClaim): boolean {
  if (keys.length === 0) return false
  const point = parseSignature(signature)
  return (
    point !== null &&
    blst.fastAggregateVerify(
      digest,
      keys.map(key => key.point),
      point,
    )
  )
}

/**
 * Whether each aggregate signature is that of its keys over its digest, all in one pairing with random multipliers: less
 * than half of what checking each costs. False says nothing of which is wrong.
 */
export function verifyAggregatesTogether(claims: readonly AggregateClaim[]): boolean {
  if (claims.length === 1) return verifyAggregate(claims[0]!)
  const parsed = []
  for (const { digest, keys, signature } of claims) {
    const sig = parseSignature(signature)
    if (!sig || keys.length === 0) return false
    parsed.push({ msg: digest, pk: sumOf(keys), sig })
  }
  return parsed.length === 0 || blst.verifyMultipleAggregateSignatures(parsed)
}

/** The sum of valid signatures. @throws RangeError when one does not parse or none is given */
export function aggregateSignatures(signatures: readonly BlsSignatureBytes[]): BlsSignatureBytes {
  try {
    return Uint8Array.from(blst.aggregateSerializedSignatures([...signatures], false).toBytes())
  } catch {
    throw new RangeError('a signature to aggregate is malformed')
  }
}

/**
 * The sum of signatures over one digest, each by one key or the sum of several keys' ones, when it is that of all their keys;
 * two thirds of what checking each costs. Null says nothing of which is wrong, and a sum nothing of each signature alone: wrong ones
 * may cancel out.
 */
export function sumIfValid({
  digest,
  signed,
}: {
  digest: Uint8Array
  signed: readonly Omit<AggregateClaim, 'digest'>[]
}): BlsSignatureBytes | null {
  try {
    const sum = blst.aggregateSerializedSignatures(
      signed.map(({ signature }) => signature),
      false,
    )
    sum.sigValidate(true)
    const keys = signed.flatMap(one => one.keys.map(({ point }) => point))
    return blst.fastAggregateVerify(digest, keys, sum) ? Uint8Array.from(sum.toBytes()) : null
  } catch {
    return null
  }
}

/**
 * Which of many signatures over one digest, each by one key or the sum of several keys' ones, are valid, in one pairing when
 * all are. Random multipliers make a pair of signatures that are wrong but cancel out fail; on failure the list is bisected.
 */
export function verifyManyOverOneDigest({
  digest,
  signed,
}: {
  digest: Uint8Array
  signed: readonly Omit<AggregateClaim, 'digest'>[]
}): boolean[] {
  if (signed.length === 0) return []
  if (signed.length === 1) return [verifyAggregate({ digest, ...signed[0]! })]
  try {
    const { pk, sig } = blst.aggregateWithRandomness(
      signed.map(({ keys, signature }) => ({ pk: sumOf(keys), sig: signature })),
    )
    if (blst.verify(digest, pk, sig)) return signed.map(() => true)
  } catch {
    // One of them does not parse: bisecting finds it.
  }
  const half = signed.length >> 1
  return [
    ...verifyManyOverOneDigest({ digest, signed: signed.slice(0, half) }),
    ...verifyManyOverOneDigest({ digest, signed: signed.slice(half) }),
  ]
}

const sumOf = (keys: readonly BlsPublicKey[]): blst.PublicKey =>
  keys.length === 1 ? keys[0]!.point : blst.aggregatePublicKeys(keys.map(({ point }) => point))

const pad16 = new Uint8Array(16)

/** Whether each 64-byte word of an EIP-2537 coding begins with 16 zero bytes, as the precompiles want it. */
function isPadded(coding: Uint8Array): boolean {
  return coding.every((byte, i) => i % 64 >= 16 || byte === 0)
}

/** EIP-2537 coding (128 bytes) of a G1 public key: x, y, each 48 bytes left-padded to 64. */
export function blsPublicKeyToEip2537(key: BlsPublicKey): Uint8Array {
  const xy = key.point.toBytes(false)
  return concatBytes(pad16, xy.subarray(0, 48), pad16, xy.subarray(48, 96))
}

/** EIP-2537 coding (256 bytes) of a compressed G2 signature: the precompile wants c0 before c1, blst gives c1 first. @throws RangeError */
export function blsSignatureToEip2537(signature: BlsSignatureBytes): Uint8Array {
  const point = parseSignature(signature)
  if (!point) throw new RangeError('not a BLS12-381 signature')
  const raw = point.toBytes(false)
  const word = (i: number) => raw.subarray(i * 48, (i + 1) * 48)
  return concatBytes(pad16, word(1), pad16, word(0), pad16, word(3), pad16, word(2))
}

/** Compressed 96 bytes of a signature in EIP-2537 coding. @throws RangeError when it is no point of the subgroup */
export function blsSignatureFromEip2537(coding: Uint8Array): BlsSignatureBytes {
  if (coding.length !== 256) throw new RangeError('an EIP-2537 G2 point has 256 bytes')
  if (!isPadded(coding)) throw new RangeError('an EIP-2537 word has padding that is not zero')
  const word = (i: number) => coding.subarray(i * 64 + 16, (i + 1) * 64)
  try {
    return Uint8Array.from(
      blst.Signature.fromBytes(concatBytes(word(1), word(0), word(3), word(2)), true, true).toBytes(),
    )
  } catch {
    throw new RangeError('not a point of the G2 subgroup')
  }
}

/** Parses a public key in EIP-2537 coding; null when it is none. */
export function blsPublicKeyFromEip2537(coding: Uint8Array): BlsPublicKey | null {
  if (coding.length !== 128 || !isPadded(coding)) return null
  try {
    const point = blst.PublicKey.fromBytes(concatBytes(coding.subarray(16, 64), coding.subarray(80, 128)), true)
    return { bytes: Uint8Array.from(point.toBytes()), point }
  } catch {
    return null
  }
}

/** A public key as hex, for maps and logs. */
export const blsKeyId = (key: BlsPublicKeyBytes): Hex => bytesToHex(key)
