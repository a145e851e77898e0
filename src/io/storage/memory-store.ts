import { compareBytes } from '../../base/primitives/bytes.js'
import type { KeyValueStore, StoreChange } from './key-value-store.js'
import { StorageError } from './storage-error.js'

/** KeyValueStore in memory: the twin of LevelStore for tests and simulation. */
export class MemoryStore implements KeyValueStore {
  private readonly values = new Map<string, Uint8Array>()
  /** Sorted keys; rebuilt by the first range read after a change of the key set. */
  private keys: Uint8Array[] | null = []
  private closed = false

  get(key: Uint8Array): Uint8Array | undefined {
    this.requireOpen()
    const value = this.values.get(textOf(key))
    return value && new Uint8Array(value)
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    this.requireOpen()
    for (const { key, value } of changes) {
      if (value === undefined) this.values.delete(textOf(key))
      else this.values.set(textOf(key), value)
    }
    this.keys = null
  }

  async *entries({
    from,
    to,
    reverse = false,
    limit = Number.POSITIVE_INFINITY,
  }: {
    from: Uint8Array
    to: Uint8Array
    reverse?: boolean
    limit?: number
  }): AsyncGenerator<readonly [Uint8Array, Uint8Array]> {
    this.requireOpen()
    this.keys ??= [...this.values.keys()].map(key => Uint8Array.from(Buffer.from(key, 'latin1'))).sort(compareBytes)
    const keys = this.keys.slice(lowerBound(this.keys, from), lowerBound(this.keys, to))
    if (reverse) keys.reverse()
    const found = keys.slice(0, limit).map(key => [key, Uint8Array.from(this.values.get(textOf(key))!)] as const)
    yield* found
  }

  async close(): Promise<void> {
    this.closed = true
  }

  /** Opens it again with what it held, as after a restart of the node. */
  reopen(): void {
    this.closed = false
  }

  private requireOpen(): void {
    if (this.closed) throw new StorageError('STORE_CLOSED', 'the store is closed')
  }
}

/** A key as text, one character a byte: the fastest key of a Map. */
const textOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

function lowerBound(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareBytes(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
