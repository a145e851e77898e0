import { keccak256 } from '../../src/base/crypto/keccak.js'
import { signDigest } from '../../src/base/crypto/secp256k1.js'
import { asciiToBytes, concatBytes, type Hex, hexToBytes, uintToBytes } from '../../src/base/primitives/bytes.js'
import type { Address } from '../../src/base/primitives/hashes.js'

const word = (value: bigint | number): Uint8Array => uintToBytes(value, 32)
const wide = (hex: string): Uint8Array => hexToBytes(`0x${hex.padStart(128, '0')}` as Hex)
const at = (number: number): Address => `0x${number.toString(16).padStart(40, '0')}` as Hex

/** Inputs for each precompile of the fork: some that it takes, some that it refuses. */
export function precompileInputs(): readonly { readonly address: Address; readonly input: Uint8Array }[] {
  const cases = new Map<number, readonly Uint8Array[]>([
    [1, recoveries()],
    [2, [new Uint8Array(0), asciiToBytes('abc')]],
    [3, [new Uint8Array(0), asciiToBytes('abc')]],
    [4, [new Uint8Array(0), asciiToBytes('abcdefgh'.repeat(9))]],
    [5, exponentiations()],
    [6, [...bn254Points(), concatBytes(word(1), word(3))]],
    [7, [concatBytes(word(1), word(2), word(99)), concatBytes(word(1), word(1), word(1)), new Uint8Array(0)]],
    [8, [new Uint8Array(0), word(1), bn254Pairing()]],
    [9, [blake2(), blake2().subarray(1)]],
    [10, [new Uint8Array(192), word(1), pointEvaluation(), spoilt(pointEvaluation())]],
    [11, [concatBytes(g1, g1), concatBytes(g1, new Uint8Array(128)), new Uint8Array(255), spoilt(concatBytes(g1, g1))]],
    [12, [concatBytes(g1, word(5)), concatBytes(g1, word(2), g1, word(7)), new Uint8Array(0)]],
    [13, [concatBytes(g2, g2), spoilt(concatBytes(g2, g2))]],
    [14, [concatBytes(g2, word(5)), new Uint8Array(1)]],
    [15, [concatBytes(g1, g2), new Uint8Array(384), new Uint8Array(0)]],
    [16, [wide('05'), new Uint8Array(64).fill(255)]],
    [17, [concatBytes(wide('05'), wide('07'))]],
    [0x100, [p256(), spoilt(p256()), new Uint8Array(0)]],
    [18, [word(1)]],
  ])
  return [...cases].flatMap(([number, inputs]) => inputs.map(input => ({ address: at(number), input })))
}

function spoilt(input: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(input)
  copy[copy.length - 1]! ^= 1
  return copy
}

function recoveries(): Uint8Array[] {
  const digest = keccak256(asciiToBytes('precompile'))
  const { rs, recovery } = signDigest(digest, word(77))
  const good = concatBytes(digest, word(27 + recovery), rs)
  return [
    good,
    concatBytes(digest, word(recovery), rs),
    concatBytes(digest, word(29), rs),
    new Uint8Array(0),
    good.subarray(0, 100),
  ]
}

function exponentiations(): Uint8Array[] {
  const modexp = (b: Uint8Array, e: Uint8Array, m: Uint8Array) =>
    concatBytes(word(b.length), word(e.length), word(m.length), b, e, m)
  return [
    modexp(Uint8Array.of(3), Uint8Array.of(200), Uint8Array.of(97)),
    modexp(word(12345678901234567890n), word(65537), word((1n << 255n) - 19n)),
    modexp(word(2), word(1), word(0)),
    modexp(new Uint8Array(64).fill(7), new Uint8Array(40).fill(3), new Uint8Array(64).fill(5)),
    new Uint8Array(0),
    concatBytes(word(1025), word(1), word(1)),
  ]
}

function bn254Points(): Uint8Array[] {
  return [concatBytes(word(1), word(2), word(1), word(2)), concatBytes(word(1), word(2)), new Uint8Array(0)]
}

/** e(P, Q) · e(-P, Q) = 1 on the generators. */
function bn254Pairing(): Uint8Array {
  const q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n
  const generator = concatBytes(
    word(0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2n),
    word(0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6edn),
    word(0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975bn),
    word(0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daan),
  )
  return concatBytes(word(1), word(2), generator, word(1), word(q - 2n), generator)
}

/** First vector of EIP-152. */
function blake2(): Uint8Array {
  const state =
    '48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b'
  return hexToBytes(`0x0000000c${state}616263${'00'.repeat(125)}0300000000000000000000000000000001` as Hex)
}

/** The constant polynomial 2: commitment 2·G1, proof infinity, y = 2 anywhere. */
function pointEvaluation(): Uint8Array {
  const commitment = hexToBytes(
    '0xa572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e',
  )
  const versionedHash = hexToBytes('0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014')
  const infinity = new Uint8Array(48)
  infinity[0] = 0xc0
  return concatBytes(versionedHash, word(0), word(2), commitment, infinity)
}

/** A vector of EIP-7951 (Wycheproof). */
function p256(): Uint8Array {
  return hexToBytes(
    `0x${[
      'bb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023',
      '2ba3a8be6b94d5ec80a6d9d1190a436effe50d85a1eee859b8cc6af9bd5c2e18',
      '4cd60b855d442f5b3c7b11eb6c4e0ae7525fe710fab9aa7c77a67f79e6fadd76',
      '2927b10512bae3eddcfe467828128bad2903269919f7086069c8c4df6c732838',
      'c7787964eaac00e5921fb1498a60f4606766b3d9685001558d1a974e7341513e',
    ].join('')}` as Hex,
  )
}

const g1 = concatBytes(
  wide('17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb'),
  wide('08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1'),
)
const g2 = concatBytes(
  wide('024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8'),
  wide('13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e'),
  wide('0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801'),
  wide('0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be'),
)
