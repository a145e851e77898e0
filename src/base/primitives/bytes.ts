/** Lower-case 0x-prefixed hexadecimal text. */
export type Hex = `0x${string}`

/** Raised when text is not 0x-prefixed hexadecimal of whole bytes. */
export class HexError extends Error {
  override readonly name = 'HexError'
}

const digits = '0123456789abcdef'
const byteToHex: string[] = []
for (let i = 0; i < 256; i++) byteToHex.push(digits.charAt(i >> 4) + digits.charAt(i & 15))

const nibbles = new Int8Array(128).fill(-1)
for (let i = 0; i < 16; i++) {
  nibbles[digits.charCodeAt(i)] = i
  nibbles[digits.toUpperCase().charCodeAt(i)] = i
}

/** Bytes of a long text that are written at once: text put together byte by byte is a tree of as many small parts. */
const pieceBytes = 1_024

/** Bytes as lower-case hex with a 0x prefix. */
export function bytesToHex(bytes: Uint8Array): Hex {
  let text = '0x'
  let at = 0
  if (bytes.length >= pieceBytes) {
    const codes = new Uint8Array(2 * pieceBytes)
    for (; at + pieceBytes <= bytes.length; at += pieceBytes) {
      for (let i = 0; i < pieceBytes; i++) {
        const byte = bytes[at + i]!
        codes[2 * i] = digits.charCodeAt(byte >> 4)
        codes[2 * i + 1] = digits.charCodeAt(byte & 15)
      }
      text += String.fromCharCode.apply(null, codes as unknown as number[])
    }
  }
  for (; at < bytes.length; at++) text += byteToHex[bytes[at]!]
  return text as Hex
}

/** The bytes that a 0x-prefixed hex text stands for; either case is read. @throws HexError */
export function hexToBytes(hex: string): Uint8Array {
  if (hex.charCodeAt(0) !== 48 || (hex.charCodeAt(1) | 32) !== 120) throw new HexError('hex text must start with 0x')
  if (hex.length % 2) throw new HexError('hex text has an odd number of digits')
  const bytes = new Uint8Array(hex.length / 2 - 1)
  for (let i = 0, at = 2; i < bytes.length; i++, at += 2) {
    const high = nibbles[hex.charCodeAt(at)] ?? -1
    const low = nibbles[hex.charCodeAt(at + 1)] ?? -1
    if (high < 0 || low < 0) throw new HexError(`hex text has a character that is no digit at ${at}`)
    bytes[i] = (high << 4) | low
  }
  return bytes
}

/** One array holding all parts in order. */
export function concatBytes(...parts: Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Whether both hold the same bytes. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Lexicographic order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** ASCII text as bytes (protocol strings only: no character above 127 occurs). */
export function asciiToBytes(text: string): Uint8Array {
  return Uint8Array.from(text, character => character.charCodeAt(0))
}

/** Big-endian bytes of a non-negative integer, left-padded with zeros to `length`. @throws RangeError when it does not fit */
export function uintToBytes(value: bigint | number, length: number): Uint8Array {
  let rest = BigInt(value)
  if (rest < 0n) throw new RangeError(`${value} is negative`)
  const out = new Uint8Array(length)
  for (let i = length - 1; i >= 0 && rest > 0n; i--) {
    out[i] = Number(rest & 255n)
    rest >>= 8n
  }
  if (rest > 0n) throw new RangeError(`${value} does not fit ${length} bytes`)
  return out
}

/** The non-negative integer that big-endian bytes stand for; empty is zero. */
export function bytesToUint(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes))
}
