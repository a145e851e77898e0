import { pureJsCrypto } from '@libp2p/noise'
import { expect, it } from 'vitest'
import { keepParsedKeys, parsedKeyAgreement } from './noise-keys.js'

const hex = (bytes: Uint8Array | { subarray(): Uint8Array }) => Buffer.from(bytes.subarray()).toString('hex')

it("agrees with libp2p's own X25519, on pairs of either", () => {
  const ours = parsedKeyAgreement()
  for (const pair of [ours.generateKeypair(), pureJsCrypto.generateX25519KeyPair()]) {
    const theirs = pureJsCrypto.generateX25519KeyPair()
    const secret = hex(pureJsCrypto.generateX25519SharedKey(theirs.privateKey, pair.publicKey))
    expect(hex(ours.dh(pair, theirs.publicKey))).toBe(secret)
    // Again, by the parsed key.
    expect(hex(ours.dh(pair, theirs.publicKey))).toBe(secret)
  }
})

it('refuses a point of small order, and bytes that are no key', () => {
  const ours = parsedKeyAgreement()
  const pair = ours.generateKeypair()
  expect(() => ours.dh(pair, new Uint8Array(32))).toThrow()
  expect(() => ours.dh(pair, new Uint8Array(31))).toThrow()
})

it('says so when the encrypter is not what it knows', () => {
  expect(() => keepParsedKeys({})).toThrow("libp2p's Noise has its key agreement")
})
