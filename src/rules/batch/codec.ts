/** A compression that gives the same bytes on every machine; its id is the first byte of what it packed. */
export interface Codec {
  readonly id: number
  compress(bytes: Uint8Array): Uint8Array
  /** @throws DecodeError also when the result would be longer than `maxLength` */
  decompress(bytes: Uint8Array, maxLength: number): Uint8Array
}
