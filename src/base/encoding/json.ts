/** JSON of a value; undefined is null, a bigint is written as a quantity. */
export function toJson(value: unknown): string {
  if (typeof value === 'string' || value === null) return JSON.stringify(value)
  try {
    return JSON.stringify(value) ?? 'null'
  } catch {
    // A replacer halves the speed, so only what plain JSON cannot write goes through it.
    return JSON.stringify(value, quantityOfBigint)
  }
}

const quantityOfBigint = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `0x${value.toString(16)}` : value

/** A value of which there is the JSON already. */
export class JsonText {
  constructor(readonly text: string) {}
}
