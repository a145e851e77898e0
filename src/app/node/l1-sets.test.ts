import { expect, it } from 'vitest'
import { L1Error } from '../../io/l1/l1-error.js'
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

it('says every minute why the node still waits', async () => {
  const clock = new VirtualClock()
  const told: unknown[] = []
  const logger = { ...silentLogger, warn: (message: string, fields?: object) => told.push({ message, ...fields }) }
  const { signal } = new AbortController()
  const error = new L1Error('L1_BAD_ANSWER', 'no contract is there')
  let tries = 0
  const reader = {
    sequencerSet: async () => {
      if (++tries < 100) throw error
      return set
    },
  }
  const loaded = loadSet({ setId: set.setId, reader, store: new MemoryStore(), clock, logger, signal })
  await clock.advance(100_000)
  expect(await loaded).toEqual(set)
  const message = 'the sequencer set cannot be read from L1; the node waits and tries again'
  expect(told).toEqual(Array(2).fill({ message, setId: set.setId, error }))
})
