import { expect, it } from 'vitest'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { StorageError } from '../../io/storage/storage-error.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { set } from '../../rules/blocks/blocks.fixture.js'
import { loadSet } from './l1-sets.js'

it('a set that cannot be stored ends the start: asking L1 again does not help', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore()
  const full = new StorageError('DISK_FULL', 'no space is left')
  store.write = () => Promise.reject(full)
  const { signal } = new AbortController()
  const reader = { sequencerSet: async () => set }
  const loaded = loadSet({ setId: set.setId, reader, store, clock, logger: silentLogger, signal }).catch(error => error)
  expect(await Promise.race([loaded, clock.advance(10_000)])).toBe(full)
})
