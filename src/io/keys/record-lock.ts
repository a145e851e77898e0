import { LevelStore } from '../storage/level-store.js'
import { StorageError } from '../storage/storage-error.js'
import { KeyError } from './key-error.js'

/** A lock held until released or until its process is gone. */
export interface RecordLock {
  release(): Promise<void>
}

/** How long a process that was just killed may take to let go. */
const lockWaitMs = 2_000

/**
 * Locks the signing record at this path for this process: by the lock of an empty LevelDB beside it. The system keeps that one
 * (fcntl) and ends it with the process, whatever container it runs in; a file that names a process id could not be judged
 * from another PID namespace. @throws KeyError SIGNING_RECORD_LOCKED, SIGNING_RECORD_UNWRITABLE
 */
export async function lockRecord(path: string): Promise<RecordLock> {
  try {
    const store = await LevelStore.open({
      path: `${path}-lock`,
      cacheBytes: 1 << 16,
      writeBufferBytes: 1 << 16,
      lockWaitMs,
    })
    return { release: () => store.close() }
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause
    if (cause.code !== 'STORE_LOCKED')
      throw new KeyError(
        'SIGNING_RECORD_UNWRITABLE',
        `the signing record ${path} cannot be locked: ${cause.message}`,
        { path },
        { cause },
      )
    const message = `the signing record is in use by another process (${path}): only one may sign with a key`
    throw new KeyError('SIGNING_RECORD_LOCKED', message, { path }, { cause })
  }
}
