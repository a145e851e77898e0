import { DecodeError } from '../../base/encoding/decode-error.js'

/** Most bytes that an encoded integer takes: 53 bits, seven to a byte. */
export const maxVarintLength = 8

/** Unsigned LEB128 of an integer below 2^53: seven bits a byte, lowest first, the top bit says that more follow. */
export function encodeVarint(value: number): Uint8Array {
  const out: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128)
  out.push(rest)
  return Uint8Array.from(out)
}

/** Reads varints and byte runs from the front of an array. All methods throw DecodeError on bytes that no writer produces. */
export class VarintReader {
  private at = 0
  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
  ) {}

  get atEnd(): boolean {
    return this.at === this.bytes.length
  }

  /** An integer of at most `max`, in its shortest form. */
  uint(max = Number.MAX_SAFE_INTEGER): number {
    let value = 0
    let scale = 1
    for (let length = 1; ; length++) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw this.error('ends early')
      value += (byte & 127) * scale
      if (length > maxVarintLength || value > max) throw this.error('has an integer that is too large')
      if (byte < 128) {
        if (byte === 0 && length > 1) throw this.error('has an integer that is not in its shortest form')
        return value
      }
      scale *= 128
    }
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw this.error('ends early')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  private error(problem: string): DecodeError {
    return new DecodeError(`${this.what}: ${problem}`, { at: this.at })
  }
}
