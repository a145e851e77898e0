import { bytesToHex, bytesToUint, type Hex, hexToBytes } from '../primitives/bytes.js'
import { DecodeError } from './decode-error.js'
import { decodeRlp, type RlpItem } from './rlp.js'

/** A non-negative integer as RLP knows it: big-endian without leading zeros, zero is empty. */
export function rlpUint(value: number | bigint): Uint8Array {
  if (typeof value === 'number') {
    let length = 0
    for (let rest = value; rest >= 1; rest = Math.floor(rest / 256)) length++
    const out = new Uint8Array(length)
    let rest = value
    for (let i = length - 1; i >= 0; i--) {
      out[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    return out
  }
  if (value === 0n) return new Uint8Array(0)
  const digits = value.toString(16)
  return hexToBytes(`0x${digits.length % 2 ? '0' : ''}${digits}`)
}

/** A byte string given as hex. */
export const rlpHex = (hex: Hex): Uint8Array => hexToBytes(hex)

/** More than any message of the network holds. What may hold more says so: a transaction, a block's body. */
const defaultMaxItems = 8_192

/**
 * Reads the fields of one RLP list in order, each with its shape. Every method throws DecodeError on a field of
 * another shape; `end` refuses fields left over. `what` names the type in those errors.
 */
export class RlpFields {
  private next = 0
  private constructor(
    private readonly list: readonly RlpItem[],
    private readonly what: string,
  ) {}

  /** Refuses more than `maxItems` items, counting those of lists within lists. */
  static decode(bytes: Uint8Array, what: string, { maxItems = defaultMaxItems } = {}): RlpFields {
    return RlpFields.of(decodeRlp(bytes, { maxItems }), what)
  }

  static of(item: RlpItem, what: string): RlpFields {
    if (item instanceof Uint8Array) throw new DecodeError(`${what}: expected a list`)
    return new RlpFields(item, what)
  }

  get remaining(): number {
    return this.list.length - this.next
  }

  item(): RlpItem {
    const item = this.list[this.next]
    if (item === undefined) throw new DecodeError(`${this.what}: field ${this.next} is missing`)
    this.next++
    return item
  }

  bytes({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}): Uint8Array {
    const item = this.item()
    if (!(item instanceof Uint8Array)) throw this.error('expected bytes')
    if (item.length < min || item.length > max) throw this.error(`has ${item.length} bytes`)
    return item
  }

  hex(length: number): Hex {
    return bytesToHex(this.bytes({ min: length, max: length }))
  }

  hash(): Hex {
    return this.hex(32)
  }

  address(): Hex {
    return this.hex(20)
  }

  /** An integer of at most `bits` bits. */
  uint(bits: number): bigint {
    return bytesToUint(this.uintBytes(bits))
  }

  /** The same as its big-endian bytes without leading zeros. */
  uintBytes(bits: number): Uint8Array {
    const bytes = this.bytes({ max: bits / 8 })
    if (bytes[0] === 0) throw this.error('has a leading zero')
    return bytes
  }

  /** An integer that a JavaScript number holds exactly. */
  safeUint(): number {
    const value = this.uint(64)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.error('is above 2^53')
    return Number(value)
  }

  /** 0 or 1. */
  boolean(): boolean {
    const value = this.uint(8)
    if (value > 1n) throw this.error('is neither 0 nor 1')
    return value === 1n
  }

  items({ max = Number.MAX_SAFE_INTEGER }: { max?: number } = {}): readonly RlpItem[] {
    const item = this.item()
    if (item instanceof Uint8Array) throw this.error('expected a list')
    if (item.length > max) throw this.error(`has ${item.length} items`)
    return item
  }

  fields(what: string): RlpFields {
    return RlpFields.of(this.item(), what)
  }

  end(): void {
    if (this.remaining > 0) throw new DecodeError(`${this.what}: ${this.remaining} fields too many`)
  }

  private error(problem: string): DecodeError {
    return new DecodeError(`${this.what}: field ${this.next - 1} ${problem}`)
  }
}
