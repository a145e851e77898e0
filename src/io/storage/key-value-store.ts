/** One change of a batch: `value` undefined deletes the key. The bytes belong to the store from now on: nobody may change them. */
export interface StoreChange {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** An ordered map of bytes to bytes that survives a crash; keys compare lexicographically. */
export interface KeyValueStore {
  get(key: Uint8Array): Uint8Array | undefined
  /** Applies all changes or none; resolves when they survive `kill -9` (and power loss when `sync`). */
  write(changes: readonly StoreChange[], options?: { sync?: boolean }): Promise<void>
  /** Entries with from <= key < to, ascending, or descending with `reverse`. */
  entries(range: {
    from: Uint8Array
    to: Uint8Array
    reverse?: boolean
    limit?: number
  }): AsyncIterable<readonly [Uint8Array, Uint8Array]>
  close(): Promise<void>
}
