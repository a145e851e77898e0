import type { Hash32 } from '../../base/primitives/hashes.js'
import { AppError } from '../app-error.js'

/** Fields of an object in a file that holds answers of JSON-RPC. Every method throws AppError FORENSICS_FILE. */
export class JsonFields {
  private constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly what: string,
  ) {}

  static of(value: unknown, what: string): JsonFields {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return new JsonFields(value as Record<string, unknown>, what)
    throw new AppError('FORENSICS_FILE', `${what} is no object`)
  }

  has(name: string): boolean {
    return Object.hasOwn(this.values, name)
  }

  raw(name: string): unknown {
    return this.has(name) ? this.values[name] : undefined
  }

  text(name: string): string {
    const value = this.raw(name)
    if (typeof value === 'string') return value
    throw new AppError('FORENSICS_FILE', `${this.what}: ${name} is no text`)
  }

  /** A hex quantity. */
  quantity(name: string): bigint {
    const text = this.text(name)
    if (/^0x[0-9a-f]{1,64}$/i.test(text)) return BigInt(text)
    throw new AppError('FORENSICS_FILE', `${this.what}: ${name} is no hex quantity`)
  }

  /** A hex quantity below 2^53. */
  number(name: string): number {
    const value = this.quantity(name)
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
    throw new AppError('FORENSICS_FILE', `${this.what}: ${name} is above 2^53`)
  }

  /** 32 bytes of hex, in lower case. */
  hash(name: string): Hash32 {
    const text = this.text(name)
    if (/^0x[0-9a-f]{64}$/i.test(text)) return text.toLowerCase() as Hash32
    throw new AppError('FORENSICS_FILE', `${this.what}: ${name} is no hash`)
  }

  list(name: string): readonly unknown[] {
    const value = this.raw(name)
    if (Array.isArray(value)) return value
    throw new AppError('FORENSICS_FILE', `${this.what}: ${name} is no list`)
  }
}
