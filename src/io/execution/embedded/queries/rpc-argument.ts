import { MorphismError } from '../../../../base/primitives/morphism-error.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'

/** One argument is not what its method takes; becomes `invalid argument N: …` (-32602). */
export class ArgumentError extends MorphismError {
  override readonly name: string = 'ArgumentError'
  constructor(message: string) {
    super('RPC_ARGUMENT', message)
  }
}

/** A JSON value of the wrong kind, worded as geth words it: its callers match on these texts. */
export class ArgumentTypeError extends ArgumentError {
  override readonly name = 'ArgumentTypeError'
  constructor(
    readonly problem: string,
    readonly wanted: string,
    field?: string,
  ) {
    super(`json: cannot unmarshal ${problem} into Go ${field ? `struct field ${field}` : 'value'} of type ${wanted}`)
  }
}

/** Reads one JSON value. @throws ArgumentError */
export type ArgumentReader<Value> = (value: unknown) => Value

/** A refusal with code -32602. */
export const invalidParams = (message: string): ExecutionRpcError =>
  new ExecutionRpcError({ code: rpcErrorCodes.invalidParams, message })

/** A refusal with geth's catch-all code -32000. */
export const serverError = (message: string): ExecutionRpcError =>
  new ExecutionRpcError({ code: rpcErrorCodes.server, message })

/** Reads the positional parameters of one call in order. Every method throws ExecutionRpcError -32602. */
export class RpcArguments {
  private next = 0
  constructor(private readonly values: readonly unknown[]) {}

  required<Value>(read: ArgumentReader<Value>): Value {
    const index = this.next++
    const value = this.values[index]
    if (value === undefined || value === null) throw invalidParams(`missing value for required argument ${index}`)
    return readAt(index, value, read)
  }

  optional<Value>(read: ArgumentReader<Value>): Value | undefined {
    const index = this.next++
    const value = this.values[index]
    return value === undefined || value === null ? undefined : readAt(index, value, read)
  }

  end(): void {
    if (this.values.length > this.next) throw invalidParams(`too many arguments, want at most ${this.next}`)
  }
}

function readAt<Value>(index: number, value: unknown, read: ArgumentReader<Value>): Value {
  try {
    return read(value)
  } catch (error) {
    if (error instanceof ArgumentError) throw invalidParams(`invalid argument ${index}: ${error.message}`)
    throw error
  }
}

/** A JSON object with fields to read by name; null and missing fields are the same. */
export class ArgumentFields {
  private constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly typeName: string,
  ) {}

  /** `typeName` is the name of the object in error texts. @throws ArgumentError */
  static of(value: unknown, typeName: string): ArgumentFields {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new ArgumentTypeError(jsonKind(value), typeName)
    return new ArgumentFields(value as Record<string, unknown>, typeName)
  }

  raw(field: string): unknown {
    return Object.hasOwn(this.values, field) ? (this.values[field] ?? undefined) : undefined
  }

  optional<Value>(field: string, read: ArgumentReader<Value>): Value | undefined {
    const value = this.raw(field)
    if (value === undefined) return undefined
    try {
      return read(value)
    } catch (error) {
      if (!(error instanceof ArgumentTypeError)) throw error
      throw new ArgumentTypeError(error.problem, error.wanted, `${this.typeName.split('.').at(-1)}.${field}`)
    }
  }

  required<Value>(field: string, read: ArgumentReader<Value>): Value {
    const value = this.optional(field, read)
    if (value === undefined) throw new ArgumentError(`missing required field '${field}'`)
    return value
  }

  names(): string[] {
    return Object.keys(this.values)
  }
}

/** Reads an array of at most `max` items. */
export function arrayOf<Value>(read: ArgumentReader<Value>, max: number): ArgumentReader<Value[]> {
  return value => {
    if (!Array.isArray(value)) throw new ArgumentTypeError(jsonKind(value), 'array')
    if (value.length > max) throw new ArgumentError(`array has ${value.length} items, want at most ${max}`)
    return value.map(read)
  }
}

/** Reads true or false. */
export const readBoolean: ArgumentReader<boolean> = value => {
  if (typeof value !== 'boolean') throw new ArgumentTypeError(jsonKind(value), 'bool')
  return value
}

/** Reads a text. */
export const readString: ArgumentReader<string> = value => {
  if (typeof value !== 'string') throw new ArgumentTypeError(jsonKind(value), 'string')
  return value
}

/** The kind of a JSON value as Go's decoder names it. */
export function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  return typeof value
}
