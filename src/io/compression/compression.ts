/** Compression off the calling thread, the same bytes on every machine. Implementations differ only in where they run. */
export interface Compression {
  /** First byte of what this codec packed. */
  readonly codecId: number
  compress(bytes: Uint8Array): Promise<Uint8Array>
  /** @throws DecodeError for bytes that do not decompress, or to more than `maxLength` */
  decompress(bytes: Uint8Array, maxLength: number): Promise<Uint8Array>
  close(): Promise<void>
}
