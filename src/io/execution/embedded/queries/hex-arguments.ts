import { bytesToHex, type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address, Hash32 } from '../../../../base/primitives/hashes.js'
import { ArgumentError, type ArgumentReader, ArgumentTypeError } from './rpc-argument.js'

const hexDigits = /^[0-9a-fA-F]*$/

/** Why a text is no quantity (no leading zeros, `0x0` for zero), or null. */
export function quantityProblem(text: string, bits: number): string | null {
  if (text.length === 0) return 'empty hex string'
  if (!hasPrefix(text)) return 'hex string without 0x prefix'
  const digits = text.slice(2)
  if (digits.length === 0) return 'hex string "0x"'
  if (digits.length > 1 && digits.startsWith('0')) return 'hex number with leading zero digits'
  if (digits.length > bits / 4) return `hex number > ${bits} bits`
  return hexDigits.test(digits) ? null : 'invalid hex string'
}

function readQuantity(value: unknown, bits: number, wanted: string): bigint {
  if (typeof value !== 'string') throw new ArgumentTypeError('non-string', wanted)
  const problem = quantityProblem(value, bits)
  if (problem) throw new ArgumentTypeError(problem, wanted)
  return BigInt(value)
}

/** A quantity of at most 256 bits. */
export const readUint256: ArgumentReader<bigint> = value => readQuantity(value, 256, '*hexutil.Big')

/** A quantity of at most 64 bits. */
export const readUint64: ArgumentReader<bigint> = value => readQuantity(value, 64, 'hexutil.Uint64')

/** A quantity that a JavaScript number holds exactly. */
export const readSafeUint: ArgumentReader<number> = value => {
  const read = readUint64(value)
  if (read > BigInt(Number.MAX_SAFE_INTEGER)) throw new ArgumentError(`hex number ${value} is above 2^53`)
  return Number(read)
}

/** Bytes of any length. */
export const readBytes: ArgumentReader<Uint8Array> = value => {
  if (typeof value !== 'string') throw new ArgumentTypeError('non-string', 'hexutil.Bytes')
  const problem = bytesProblem(value)
  if (problem) throw new ArgumentTypeError(problem, 'hexutil.Bytes')
  try {
    return hexToBytes(value)
  } catch {
    throw new ArgumentTypeError('invalid hex string', 'hexutil.Bytes')
  }
}

/** An account address, in either case. */
export const readAddress: ArgumentReader<Address> = value => readFixed(value, 20, 'common.Address')

/** A 32-byte value. */
export const readHash: ArgumentReader<Hash32> = value => readFixed(value, 32, 'common.Hash')

/** A storage slot: up to 32 bytes, leading zeros may be missing, as geth reads them. */
export const readStorageKey: ArgumentReader<Hash32> = value => {
  if (typeof value !== 'string') throw new ArgumentTypeError('non-string', 'string')
  const digits = hasPrefix(value) ? value.slice(2) : value
  if (!hexDigits.test(digits)) throw new ArgumentError('unable to decode storage key: hex string invalid')
  if (digits.length > 64)
    throw new ArgumentError('unable to decode storage key: hex string too long, want at most 32 bytes')
  return `0x${digits.toLowerCase().padStart(64, '0')}`
}

function readFixed(value: unknown, length: number, wanted: string): Hex {
  if (typeof value !== 'string') throw new ArgumentTypeError('non-string', wanted)
  const problem = bytesProblem(value)
  if (problem) throw new ArgumentTypeError(problem, wanted)
  if (value.length !== 2 + length * 2)
    throw new ArgumentError(`hex string has length ${value.length - 2}, want ${length * 2} for ${wanted}`)
  if (!hexDigits.test(value.slice(2))) throw new ArgumentTypeError('invalid hex string', wanted)
  return value.toLowerCase() as Hex
}

function bytesProblem(text: string): string | null {
  if (text.length === 0) return 'empty hex string'
  if (!hasPrefix(text)) return 'hex string without 0x prefix'
  return text.length % 2 ? 'hex string of odd length' : null
}

const hasPrefix = (text: string): boolean => text.charCodeAt(0) === 48 && (text.charCodeAt(1) | 32) === 120

/** A non-negative integer as JSON-RPC writes quantities. */
export const toQuantity = (value: number | bigint): Hex => `0x${value.toString(16)}`

/** Big-endian bytes as a quantity. */
export function bytesToQuantity(bytes: Uint8Array): Hex {
  const digits = bytesToHex(bytes).slice(2).replace(/^0+/, '')
  return `0x${digits || '0'}`
}
