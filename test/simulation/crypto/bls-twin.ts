import { createHash } from 'node:crypto'
import { bytesToHex, type Hex } from '../../../src/base/primitives/bytes.js'
import { rememberWith } from '../shared/remember.js'

/*
 * A twin of src/base/crypto/bls.ts for the simulation, a thousand times faster: same functions, hashes instead of curves.
 * What the network relies on holds: a signature is bound to one key and one digest, only the secret key object makes it,
 * an aggregate verifies for exactly the multiset of keys that signed, and malformed ones are refused. It is no cryptography.
 */

type BlsPublicKeyBytes = Uint8Array
type BlsSignatureBytes = Uint8Array

export const blsPublicKeyLength = 48
export const blsSignatureLength = 96

export interface BlsPublicKey {
  readonly bytes: BlsPublicKeyBytes
  readonly point: null
}

interface AggregateClaim {
  readonly digest: Uint8Array
  readonly keys: readonly BlsPublicKey[]
  readonly signature: BlsSignatureBytes
}

/** First bytes of every key and signature of the twin: what does not begin so is no point of its "curve". */
const keyTag = Uint8Array.from([0xb1, 0x50])
const signatureTag = Uint8Array.from([0xb1, 0x52])
/** The part of a signature that carries it: lanes of 32 bits that add up, as points do. The rest is zero. */
const lanesAt = 32
const lanes = 16

function isTagged(bytes: Uint8Array, tag: Uint8Array): boolean {
  return bytes[0] === tag[0] && bytes[1] === tag[1]
}

export function parseBlsPublicKey(bytes: Uint8Array): BlsPublicKey | null {
  if (bytes.length !== blsPublicKeyLength || !isTagged(bytes, keyTag)) return null
  return { bytes: Uint8Array.from(bytes), point: null }
}

function isSignature(bytes: Uint8Array): boolean {
  if (bytes.length !== blsSignatureLength || !isTagged(bytes, signatureTag)) return false
  for (let i = signatureTag.length; i < lanesAt; i++) if (bytes[i] !== 0) return false
  return true
}

/** What only this module computes: nobody outside can sign without a BlsSecretKey. */
function contribution(key: BlsPublicKeyBytes, digest: Uint8Array): Uint32Array {
  let ofKey = contributions.get(key)
  if (!ofKey) {
    ofKey = new Map()
    contributions.set(key, ofKey)
  }
  const of = textOf(digest)
  let made = ofKey.get(of)
  if (!made) {
    if (ofKey.size >= maxContributions) ofKey.clear()
    made = lanesOf(createHash('sha512').update('morphism simulation').update(key).update(digest).digest())
    ofKey.set(of, made)
  }
  return made
}

/** Every node checks the same signatures. What is remembered follows from its key, so it changes no result. */
const contributions = new WeakMap<BlsPublicKeyBytes, Map<string, Uint32Array>>()
const maxContributions = 256

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

function lanesOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const found = new Uint32Array(lanes)
  for (let lane = 0; lane < lanes; lane++) found[lane] = view.getUint32(lane * 4)
  return found
}

/** Lanes of 32 bits, each modulo 2^32. */
function sum(parts: readonly Uint32Array[]): Uint32Array {
  const total = new Uint32Array(lanes)
  for (const part of parts) for (let lane = 0; lane < lanes; lane++) total[lane]! += part[lane]!
  return total
}

function signatureOf(total: Uint32Array): BlsSignatureBytes {
  const signature = new Uint8Array(blsSignatureLength)
  signature.set(signatureTag)
  const out = new DataView(signature.buffer)
  for (let lane = 0; lane < lanes; lane++) out.setUint32(lanesAt + lane * 4, total[lane]!)
  return signature
}

export class BlsSecretKey {
  private readonly key: BlsPublicKeyBytes
  private constructor(private readonly secret: Uint8Array) {
    this.key = new Uint8Array(blsPublicKeyLength)
    this.key.set(keyTag)
    this.key.set(createHash('sha256').update(secret).digest(), blsPublicKeyLength - 32)
  }

  static fromBytes(bytes: Uint8Array): BlsSecretKey {
    if (bytes.length !== 32) throw new RangeError('not a BLS12-381 secret key')
    return new BlsSecretKey(Uint8Array.from(bytes))
  }

  static fromSeed(seed: Uint8Array): BlsSecretKey {
    return new BlsSecretKey(Uint8Array.from(createHash('sha256').update(seed).digest()))
  }

  toBytes(): Uint8Array {
    return Uint8Array.from(this.secret)
  }

  publicKey(): BlsPublicKeyBytes {
    return Uint8Array.from(this.key)
  }

  sign(digest: Uint8Array): BlsSignatureBytes {
    return signatureOf(contribution(this.key, digest))
  }

  toJSON(): string {
    return '[secret key]'
  }
}

export function verifyBls({
  digest,
  key,
  signature,
}: {
  digest: Uint8Array
  key: BlsPublicKey
  signature: BlsSignatureBytes
}): boolean {
  return verifyAggregate({ digest, keys: [key], signature })
}

export function verifyAggregate({ digest, keys, signature }: AggregateClaim): boolean {
  if (keys.length === 0 || !isSignature(signature)) return false
  const claimed = lanesOf(signature.subarray(lanesAt))
  const total = sum(keys.map(key => contribution(key.bytes, digest)))
  return claimed.every((lane, i) => lane === total[i])
}

export function sumIfValid({
  digest,
  signed,
}: {
  digest: Uint8Array
  signed: readonly Omit<AggregateClaim, 'digest'>[]
}): BlsSignatureBytes | null {
  if (signed.length === 0 || !signed.every(({ signature }) => isSignature(signature))) return null
  const signature = aggregateSignatures(signed.map(one => one.signature))
  return verifyAggregate({ digest, keys: signed.flatMap(one => one.keys), signature }) ? signature : null
}

export function verifyAggregatesTogether(claims: readonly AggregateClaim[]): boolean {
  return claims.every(verifyAggregate)
}

export function aggregateSignatures(signatures: readonly BlsSignatureBytes[]): BlsSignatureBytes {
  if (signatures.length === 0 || !signatures.every(isSignature))
    throw new RangeError('a signature to aggregate is malformed')
  return signatureOf(sum(signatures.map(signature => lanesOf(signature.subarray(lanesAt)))))
}

export function verifyManyOverOneDigest({
  digest,
  signed,
}: {
  digest: Uint8Array
  signed: readonly Omit<AggregateClaim, 'digest'>[]
}): boolean[] {
  return signed.map(({ keys, signature }) => verifyAggregate({ digest, keys, signature }))
}

/** EIP-2537 codings belong to a real L1, which the simulation has not. */
function noCurve(): never {
  throw new RangeError('the BLS twin of the simulation has no curve points')
}

export const blsPublicKeyToEip2537: (key: BlsPublicKey) => Uint8Array = noCurve
export const blsSignatureToEip2537: (signature: BlsSignatureBytes) => Uint8Array = noCurve
export const blsSignatureFromEip2537: (coding: Uint8Array) => BlsSignatureBytes = noCurve
export const blsPublicKeyFromEip2537: (coding: Uint8Array) => BlsPublicKey | null = noCurve

export const blsKeyId: (key: BlsPublicKeyBytes) => Hex = rememberWith(bytesToHex)
