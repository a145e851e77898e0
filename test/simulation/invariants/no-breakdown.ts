import { StorageError } from '../../../src/io/storage/storage-error.js'
import type { Invariant, Violate } from './invariant-watch.js'

/** An honest node gives up only when its disk fails it. */
export function noBreakdown({ violate }: { violate: Violate }): Invariant {
  return {
    name: 'no-breakdown',
    onGaveUp({ index }, error) {
      if (error instanceof StorageError && error.code === 'DISK_FULL') return
      violate(`node ${index} gave up: ${error instanceof Error ? error.stack : String(error)}`)
    },
  }
}
