import { ClassicLevel } from 'classic-level'
import type { KeyValueStore, StoreChange } from '../../../storage/key-value-store.js'
import { ExecutionError } from '../../execution-error.js'

/** KeyValueStore on a LevelDB that all threads of this process open together, each for itself. */
export class ThreadStore implements KeyValueStore {
  private constructor(private readonly level: ClassicLevel<Uint8Array, Uint8Array>) {}

  /** @throws ExecutionError STORE_FAILED when the directory cannot be used, or another process uses it */
  static async open(directory: string): Promise<ThreadStore> {
    const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: 64 << 20,
      writeBufferSize: 32 << 20,
      multithreading: true,
    })
    try {
      await level.open()
    } catch (error) {
      const cause = (error as { cause?: unknown }).cause
      const text = cause instanceof Error ? cause.message : String(error)
      throw new ExecutionError(
        'STORE_FAILED',
        `the chain data in ${directory} cannot be opened: ${text}`,
        { directory },
        {
          cause: error,
        },
      )
    }
    return new ThreadStore(level)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.level.getSync(key)
  }

  async write(changes: readonly StoreChange[], { sync = false }: { sync?: boolean } = {}): Promise<void> {
    // A chained batch takes a third of the time of an array of operations.
    const batch = this.level.batch()
    for (const { key, value } of changes) {
      if (value === undefined) batch.del(key)
      else batch.put(key, value)
    }
    await batch.write({ sync })
  }

  async *entries({
    from,
    to,
    reverse = false,
    limit = -1,
  }: {
    from: Uint8Array
    to: Uint8Array
    reverse?: boolean
    limit?: number
  }): AsyncGenerator<readonly [Uint8Array, Uint8Array]> {
    yield* this.level.iterator({ gte: from, lt: to, reverse, limit })
  }

  async close(): Promise<void> {
    await this.level.close()
  }
}
